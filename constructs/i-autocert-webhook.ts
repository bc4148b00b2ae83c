/**
 * What a namespace needs to know of the webhook.
 * @module
 */
import type { Duration } from 'cdk8s';
import type { IConstruct } from 'constructs';
import { check } from './validation.ts';

/** What {@link IAutocertWebhook.addNamespace} takes. */
export interface NamespaceRules {
  /**
   * Names that pods may have beyond those of their own namespace: DNS names (`*` stands for one label, `**` for one or
   * more), IP addresses, CIDR blocks, URIs (`*` for one segment of the path, `**` for the rest). @default - none
   */
  readonly allowedNames?: readonly string[];
  /**
   * Longest lifetime. Autocert refuses a pod that asks for more, and issues no certificate that lives longer.
   * @default - the CA's own
   */
  readonly maxDuration?: Duration;
}

/** Whatever judges the pods of namespaces: an `AutocertWebhook`. */
export interface IAutocertWebhook extends IConstruct {
  /** Says what the pods of a namespace may have, once for each namespace. */
  addNamespace(name: string, rules: NamespaceRules): void;
}

/** A prop that takes one. */
export const checkWebhook = check(
  'it takes an AutocertWebhook',
  (value): value is IAutocertWebhook =>
    typeof (value as IAutocertWebhook | null | undefined)?.addNamespace === 'function',
);

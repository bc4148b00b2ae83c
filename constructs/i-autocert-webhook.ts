/**
 * What a namespace needs to know of the webhook.
 * @module
 */
import type { Duration } from 'cdk8s';
import type { IConstruct } from 'constructs';
import { check } from './validation.ts';

/** What pods that run as one service account may have. */
export interface ServiceAccountRules {
  /**
   * Names that are for these pods alone, in patterns as {@link NamespaceRules.allowedNames} has them. A name of a Service
   * of the namespace stands for all of its spellings (`pay.shop.svc`, `pay.shop.svc.cluster.local`, `pay.shop`).
   */
  readonly allowedNames: readonly string[];
}

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
  /**
   * Names for the pods of some service accounts alone, by the name of the account. Whatever is listed here, the
   * namespace's own names included, pods of other accounts do not get, nor a wildcard name that stands for it; what is
   * not, pods of all accounts get as ever. @default - all accounts may have the same names
   */
  readonly serviceAccounts?: Readonly<Record<string, ServiceAccountRules>>;
}

/** Whatever judges the pods of namespaces: an `AutocertWebhook`. */
export interface IAutocertWebhook extends IConstruct {
  /** The label of the namespaces that it serves, such as `autocert.step.sm=enabled`. */
  readonly namespaceLabel: string;
  /** Says what the pods of a namespace may have, once for each namespace. */
  addNamespace(name: string, rules: NamespaceRules): void;
}

/** A prop that takes one. */
export const checkWebhook = check(
  'it takes an AutocertWebhook',
  (value): value is IAutocertWebhook =>
    typeof (value as IAutocertWebhook | null | undefined)?.addNamespace === 'function',
);

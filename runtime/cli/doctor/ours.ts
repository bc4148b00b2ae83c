/**
 * What of the facts is Autocert's, asked by several checks. Pure.
 * @module
 */
import { DOMAIN, type NamespaceLabel } from '../../contract.ts';
import { clusterName } from '../../policy/cluster-names.ts';
import { labelOf, selectedLabel } from '../../policy/namespace-label.ts';
import { isExcluded } from '../../policy/reserved-names.ts';
import type { Part } from '../status/installation.ts';
import type { Stuck } from '../stuck.ts';
import type { Facts, RegisteredWebhook } from './facts.ts';

/** Whether there is a webhook by the configuration; without one the API server injects by policy. */
export function hasWebhook({ configuration }: Facts): boolean {
  return configuration.config?.autocertUrl !== undefined;
}

/** Whether a signer is to run. */
export function hasSigner({ configuration }: Facts): boolean {
  return configuration.config !== undefined && configuration.config.signer !== false;
}

/** Whether the CA is one of this namespace, and not elsewhere. */
export function hasCa({ configuration, namespace }: Facts): boolean {
  const host = URL.parse(configuration.config?.caUrl ?? '')?.hostname ?? '';
  return `${host}.`.startsWith(`ca.${namespace}.`);
}

/**
 * The label of namespaces that turns this installation on: by its configuration, or by its registration where that cannot be
 * read; the usual one, where nobody can tell.
 */
export function ownLabel(facts: Pick<Facts, 'configuration' | 'webhooks' | 'namespace'>): NamespaceLabel {
  const { config } = facts.configuration;
  if (config) return labelOf(config);
  return selectedLabel(ownWebhook(facts)?.namespaceSelector) ?? labelOf({});
}

/** One of the three parts. */
export function part({ installation }: Facts, name: Part['name']): Part | undefined {
  return installation.parts.find((one) => one.name === name);
}

/** The webhook of this installation in the API server's registration. */
export function ownWebhook({
  webhooks,
  namespace,
}: Pick<Facts, 'webhooks' | 'namespace'>): RegisteredWebhook | undefined {
  return webhooks?.find((one) => one.name === DOMAIN && isOfInstallation(one, namespace));
}

/** Whether a registration is the one that the manifests of Autocert in `namespace` make. */
export function isOfInstallation({ kind, configuration, service }: RegisteredWebhook, namespace: string): boolean {
  const isHere = service === undefined || service.namespace === namespace;
  return kind === 'mutatingwebhookconfiguration' && configuration === clusterName('autocert', namespace) && isHere;
}

/** Whether the pods of a namespace get nothing, label or not. */
export function isLeftAlone({ configuration, namespace }: Facts, name: string): boolean {
  return isExcluded({ namespace, excludedNamespaces: configuration.config?.excludedNamespaces ?? [] }, name);
}

/** Counts for people. */
export function counted(count: number, one: string, several = `${one}s`): string {
  return `${count} ${count === 1 ? one : several}`;
}

/** Counts, and names the first: `3 pods (web-0, …)`. */
export function named(pods: readonly { readonly name: string }[], one: string): string {
  return `${counted(pods.length, one)} (${pods[0]?.name}${pods.length > 1 ? ', …' : ''})`;
}

/** Whether kubelet waits for an image, by the reason that it gives. */
export function isOfImage({ reason }: Stuck): boolean {
  return /Image|ErrPull|RegistryUnavailable/.test(reason);
}

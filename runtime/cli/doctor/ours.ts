/**
 * What of the facts is Autocert's, asked by several checks. Pure.
 * @module
 */
import { isExcluded } from '../../policy/reserved-names.ts';
import type { Part } from '../observed/installation.ts';
import type { Stuck } from '../stuck.ts';
import type { Facts } from './facts.ts';

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

/** One of the three parts. */
export function part({ installation }: Facts, name: Part['name']): Part | undefined {
  return installation.parts.find((one) => one.name === name);
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

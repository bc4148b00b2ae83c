/** Builders of what webhook, policy and signer tests judge. @module */
import { Annotation, type PolicyConfig } from '../../runtime/contract.ts';

/** A policy as a fresh installation has it. */
export function policy(overrides: Partial<PolicyConfig> = {}): PolicyConfig {
  return {
    clusterDomain: 'cluster.local',
    defaultDuration: '24h',
    minDuration: '5m',
    maxDuration: '24h',
    namespaces: {},
    ...overrides,
  };
}

/** Annotations of Autocert by their short names in the contract, so that `annotations({ name: 'a.b' })` reads well. */
export function annotations(values: Partial<Record<keyof typeof Annotation, string>>): Record<string, string> {
  const keys = Object.keys(values) as (keyof typeof Annotation)[];
  return Object.fromEntries(keys.map((key) => [Annotation[key], values[key] ?? '']));
}

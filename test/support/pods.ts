/** Builders of what webhook, policy and signer tests judge. @module */
import type { V1Pod } from '@kubernetes/client-node';
import { Annotation, type PolicyConfig } from '../../runtime/contract.ts';
import type { Claim } from '../../runtime/policy/judgement.ts';

/** A policy as a fresh installation has it. */
export function policy(overrides: Partial<PolicyConfig> = {}): PolicyConfig {
  return {
    namespace: 'step',
    clusterDomain: 'cluster.local',
    reservedNames: [],
    defaultDuration: '24h',
    minDuration: '5m',
    maxDuration: '24h',
    excludedNamespaces: [],
    namespaces: {},
    ...overrides,
  };
}

/** Annotations of Autocert by their short names in the contract, so that `annotations({ name: 'a.b' })` reads well. */
export function annotations(values: Partial<Record<keyof typeof Annotation, string>>): Record<string, string> {
  const keys = Object.keys(values) as (keyof typeof Annotation)[];
  return Object.fromEntries(keys.map((key) => [Annotation[key], values[key] ?? '']));
}

/** Pod `web-0` of namespace `shop`, as it proves itself to be. */
export function claimOf(overrides: Partial<Claim> = {}): Claim {
  return { namespace: 'shop', podName: 'web-0', podUID: 'uid-1', serviceAccountName: 'web', ...overrides };
}

/** The same pod as the API server has it: running, and asking for `web.shop.svc` besides `values`. */
export function runningPod(
  values: Parameters<typeof annotations>[0] = {},
  change: { readonly metadata?: object; readonly spec?: object; readonly status?: object } = {},
): V1Pod {
  return {
    metadata: {
      name: 'web-0',
      namespace: 'shop',
      uid: 'uid-1',
      annotations: annotations({ name: 'web.shop.svc', ...values }),
      ...change.metadata,
    },
    spec: { containers: [{ name: 'web' }], serviceAccountName: 'web', nodeName: 'node-1', ...change.spec },
    status: { phase: 'Running', ...change.status },
  };
}

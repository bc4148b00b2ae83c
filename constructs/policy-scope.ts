/**
 * Where Autocert's webhook and admission policies apply.
 * @module
 */
import { Lazy } from 'cdk8s';
import type { PolicyConfig } from '../runtime/contract.ts';
import { labelOf } from '../runtime/policy/namespace-label.ts';
import { excludedNamespaces } from '../runtime/policy/reserved-names.ts';

/** Picks the labelled namespaces, less the excluded ones; those are asked for at synth. */
export function enabledNamespaces(policy: () => PolicyConfig) {
  const { key, value } = labelOf(policy());
  return {
    matchLabels: { [key]: value },
    matchExpressions: [
      {
        key: 'kubernetes.io/metadata.name',
        operator: 'NotIn',
        values: Lazy.any({ produce: () => excludedNamespaces(policy()) }),
      },
    ],
  };
}

/**
 * `matchConstraints` of an admission policy. All that the API server would add by itself is written out, here and in the
 * rules (`scope`): the field is atomic, and whoever applies it server-side (Argo CD) after `kubectl apply` would be told
 * of a conflict with what was added.
 */
export function matchConstraints(policy: () => PolicyConfig, resourceRules: readonly object[]) {
  return {
    matchPolicy: 'Equivalent',
    namespaceSelector: enabledNamespaces(policy),
    objectSelector: {},
    resourceRules,
  } as const;
}

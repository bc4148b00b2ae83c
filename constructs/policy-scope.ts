/**
 * Where Autocert's admission policies apply.
 * @module
 */
import { Lazy } from 'cdk8s';
import { NAMESPACE_LABEL } from '../runtime/contract.ts';

/**
 * `matchConstraints` that pick the labelled namespaces, less the excluded ones; those are asked for at synth. All that the
 * API server would add by itself is written out, here and in the rules (`scope`): the field is atomic, and whoever applies
 * it server-side (Argo CD) after `kubectl apply` would be told of a conflict with what was added.
 */
export function enabledNamespaces(excluded: () => readonly string[]) {
  return {
    matchPolicy: 'Equivalent',
    namespaceSelector: {
      matchLabels: { [NAMESPACE_LABEL.key]: NAMESPACE_LABEL.value },
      matchExpressions: [
        {
          key: 'kubernetes.io/metadata.name',
          operator: 'NotIn',
          values: Lazy.any({ produce: () => [...excluded()] }),
        },
      ],
    },
    objectSelector: {},
  } as const;
}

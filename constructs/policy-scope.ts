/**
 * Where Autocert's admission policies apply.
 * @module
 */
import { Lazy } from 'cdk8s';
import { NAMESPACE_LABEL } from '../runtime/contract.ts';

/** `matchConstraints` that pick the labelled namespaces, less the excluded ones; those are asked for at synth. */
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
  } as const;
}

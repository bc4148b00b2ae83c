/**
 * Label selectors, decided as the API server does. Pure.
 * @module
 */
import type { V1LabelSelector } from '@kubernetes/client-node';

type Labels = Readonly<Record<string, string>>;

/** Whether a selector selects what carries `labels`. One that is empty or absent selects everything. */
export function selects(selector: V1LabelSelector | undefined, labels: Labels): boolean {
  const has = (key: string) => Object.hasOwn(labels, key);
  const { matchLabels = {}, matchExpressions = [] } = selector ?? {};
  return (
    Object.entries(matchLabels).every(([key, value]) => has(key) && labels[key] === value) &&
    matchExpressions.every(({ key, operator, values = [] }) => {
      const isListed = has(key) && values.includes(labels[key] ?? '');
      if (operator === 'In') return isListed;
      if (operator === 'NotIn') return !isListed;
      return operator === 'Exists' ? has(key) : !has(key);
    })
  );
}

/**
 * Checks of namespaces: the label where it is needed, and nowhere else.
 * @module
 */
import { isLabelled, labelText } from '../../policy/namespace-label.ts';
import { ownLabel } from '../observed/webhooks.ts';
import type { Facts } from './facts.ts';
import type { Check, Found } from './finding.ts';
import { counted, isLeftAlone, named } from './ours.ts';

/** The checks. */
export const namespaceChecks: readonly Check[] = [
  { id: 'namespace-label', looksAt: 'annotated pods in namespaces without the label', find: unlabelled },
  { id: 'excluded-namespace', looksAt: 'excluded namespaces that are labelled all the same', find: excluded },
];

function unlabelled(facts: Facts): Found[] {
  const { namespaces, pods = [] } = facts;
  if (!namespaces) return [];
  const own = ownLabel(facts);
  const label = labelText(own);
  const groups = Object.groupBy(
    pods.filter(({ namespace }) => !isLabelled(namespaces.get(namespace), own) && !isLeftAlone(facts, namespace)),
    ({ namespace }) => namespace,
  );
  return Object.entries(groups).map(([namespace, some = []]): Found => {
    const injected = some.filter((pod) => pod.injected).length;
    const effect = injected > 0 ? `no certificate is renewed here (${injected})` : 'none of them has a certificate';
    return {
      object: `namespace/${namespace}`,
      message: `it has ${named(some, 'annotated pod')} and not the label ${label}: ${effect}`,
      remedy: `kubectl label namespace ${namespace} ${label}, then kubectl -n ${namespace} rollout restart what was not injected; or take the annotations away`,
    };
  });
}

function excluded(facts: Facts): Found[] {
  const { namespaces, pods = [] } = facts;
  const own = ownLabel(facts);
  const labelled = [...(namespaces ?? [])].filter(
    ([name, labels]) => isLabelled(labels, own) && isLeftAlone(facts, name),
  );
  return labelled.map(([name]): Found => {
    const asking = pods.filter(({ namespace }) => namespace === name).length;
    return {
      object: `namespace/${name}`,
      message: `it has the label, and is excluded: its pods never get a certificate${asking > 0 ? `, though ${counted(asking, 'pod asks', 'pods ask')} for one` : ''}`,
      remedy: `kubectl label namespace ${name} ${own.key}-, or take it out of excludedNamespaces`,
      severity: 'warning',
    };
  });
}

/**
 * Other installations of Autocert in the cluster, the Go original among them: told by what their webhooks do. Pure.
 * @module
 */
import type { V1LabelSelector } from '@kubernetes/client-node';
import { DOMAIN, type NamespaceLabel } from '../../contract.ts';
import { selects } from '../../kubernetes/selectors.ts';
import { isLabelled } from '../../policy/namespace-label.ts';
import type { Facts, RegisteredWebhook } from './facts.ts';
import { isOfInstallation } from './ours.ts';

type Labels = Readonly<Record<string, string>>;

/** The webhooks of others that are Autocert's by their name or by the label that they go by. */
export function otherWebhooks(
  webhooks: readonly RegisteredWebhook[],
  namespace: string,
  label: NamespaceLabel,
): RegisteredWebhook[] {
  return webhooks.filter(
    (one) =>
      one.kind === 'mutatingwebhookconfiguration' &&
      one.asksForPods &&
      (one.name === DOMAIN || goesBy(one.namespaceSelector, label)) &&
      !isOfInstallation(one, namespace),
  );
}

/** Whether a selector takes namespaces for this label, or for its key. */
export function goesBy(selector: V1LabelSelector | undefined, { key, value }: NamespaceLabel): boolean {
  const { matchLabels = {}, matchExpressions = [] } = selector ?? {};
  if (Object.hasOwn(matchLabels, key)) return matchLabels[key] === value;
  return matchExpressions.some(
    (one) => one.key === key && (one.operator === 'Exists' || (one.operator === 'In' && one.values?.includes(value))),
  );
}

/** Whether the pods of a namespace are another installation's, and not this one's. */
export function isOfAnother(labels: Labels | undefined, others: readonly RegisteredWebhook[], own: NamespaceLabel) {
  if (labels === undefined || isLabelled(labels, own)) return false;
  return others.some(({ namespaceSelector }) => namespaceSelector !== undefined && selects(namespaceSelector, labels));
}

/** Namespaces that have the label of this installation, and are another's, too. */
export function sharedNamespaces({ namespaces }: Facts, other: RegisteredWebhook, own: NamespaceLabel): string[] {
  return [...(namespaces ?? [])]
    .filter(([, labels]) => isLabelled(labels, own) && selects(other.namespaceSelector, labels))
    .map(([name]) => name);
}

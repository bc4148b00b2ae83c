/**
 * Other installations of Autocert in the cluster, the Go original among them: told by what their webhooks do. Pure.
 * @module
 */
import type { V1LabelSelector } from '@kubernetes/client-node';
import { DOMAIN, type NamespaceLabel } from '../../contract.ts';
import type { Origin } from '../../kubernetes/pod-origin.ts';
import { selects } from '../../kubernetes/selectors.ts';
import { clusterName } from '../../policy/cluster-names.ts';
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

/** Which of the others injects the pods of a namespace; `undefined`: none, or this installation does. */
export function otherInjector(
  labels: Labels | undefined,
  others: readonly RegisteredWebhook[],
  own: NamespaceLabel,
): Origin | undefined {
  if (labels === undefined || isLabelled(labels, own)) return undefined;
  const found = others.find(
    ({ namespaceSelector }) => namespaceSelector !== undefined && selects(namespaceSelector, labels),
  );
  return found && originOfWebhook(found);
}

function originOfWebhook({ configuration, service }: RegisteredWebhook): Origin {
  const namespace = service?.namespace;
  const isAutocert = namespace !== undefined && configuration === clusterName('autocert', namespace);
  return isAutocert ? { kind: 'autocert', namespace } : { kind: 'original' };
}

/** Namespaces that have the label of this installation, and are another's, too. */
export function sharedNamespaces({ namespaces }: Facts, other: RegisteredWebhook, own: NamespaceLabel): string[] {
  return [...(namespaces ?? [])]
    .filter(([, labels]) => isLabelled(labels, own) && selects(other.namespaceSelector, labels))
    .map(([name]) => name);
}

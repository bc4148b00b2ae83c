/**
 * Other installations of Autocert in the cluster, the Go original among them: told by what their webhooks do.
 * @module
 */
import type { V1LabelSelector } from '@kubernetes/client-node';
import { DOMAIN, type NamespaceLabel } from '../../contract.ts';
import type { Origin } from '../../kubernetes/pod-origin.ts';
import { selects } from '../../kubernetes/selectors.ts';
import { clusterName } from '../../policy/cluster-names.ts';
import { isLabelled } from '../../policy/namespace-label.ts';
import type { Connection } from '../cluster-connection.ts';
import type { InjectorConfig } from '../explain/injection.ts';
import { Look } from './look.ts';
import { type Labels, readNamespaces } from './namespaces.ts';
import { isOfInstallation, ownLabel, type RegisteredWebhook, type Registrations, readWebhooks } from './webhooks.ts';

/** Whose pods are that do not tell by themselves, as those do that are injected. */
export interface OtherInjectors {
  /** Which other installation injects the pods of a namespace; `undefined`: none, or this one does. */
  readonly of: (namespace: string) => Origin | undefined;
  /** Whether something was not answered that may be the next time. */
  readonly hasFailed: boolean;
}

/**
 * Reads registrations, and labels of namespaces where they matter. Who may not list the ones or see the others is told of none.
 * @param autocert namespace of the own installation
 * @param podsOf namespace whose pods are asked for; `undefined`: those of all
 */
export async function readOtherInjectors(
  api: Connection['api'],
  autocert: string,
  podsOf: string | undefined,
  config: Promise<InjectorConfig | undefined>,
): Promise<OtherInjectors> {
  const look = new Look(api);
  const webhooks = await readWebhooks(look);
  const known = { webhooks, configuration: { config: await config }, namespace: autocert };
  const [label, others] = [ownLabel(known), otherWebhooks(known)];
  const labels = others.length > 0 ? await readNamespaces(look, podsOf) : undefined;
  return { of: (namespace) => otherInjector(labels?.get(namespace), others, label), hasFailed: look.hasFailed };
}

/** The webhooks of others that are Autocert's by their name or by the label that they go by. */
export function otherWebhooks(known: Registrations): RegisteredWebhook[] {
  const label = ownLabel(known);
  return (known.webhooks ?? []).filter(
    (one) =>
      one.kind === 'mutatingwebhookconfiguration' &&
      one.asksForPods &&
      (one.name === DOMAIN || goesBy(one.namespaceSelector, label)) &&
      !isOfInstallation(one, known.namespace),
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
export function sharedNamespaces(
  namespaces: ReadonlyMap<string, Labels> = new Map(),
  other: RegisteredWebhook,
  own: NamespaceLabel,
): string[] {
  return [...namespaces]
    .filter(([, labels]) => isLabelled(labels, own) && selects(other.namespaceSelector, labels))
    .map(([name]) => name);
}

/**
 * Pods that controllers cannot create: by their events, as long as the controller still lacks pods.
 * @module
 */
import type { CoreV1Event, V1ReplicaSet } from '@kubernetes/client-node';
import { Annotation } from '../../contract.ts';
import { isRecord } from '../../lib/validator.ts';
import type { Manifest } from '../manifests.ts';
import type { Look } from '../observed/look.ts';
import { excerpt, MAX_TEXT } from '../terminal.ts';
import { podOf, WORKLOAD_KINDS, type WorkloadKind, workloadsPath } from '../workloads.ts';
import type { Uncreated } from './facts.ts';

/** Events that are looked through, and objects that are looked at because of them. */
const MAX = { events: 2_000, objects: 100 } as const;
/** Longer than other texts: refusals of Pod Security name each container. */
const MAX_REFUSAL = 2 * MAX_TEXT;

/** What the API server's clients put in front when they have counted several events as one. */
const SIMILAR = /^\(combined from similar events\): /;

interface Attempt {
  readonly kind: WorkloadKind;
  readonly namespace: string;
  readonly name: string;
  readonly message: string;
  readonly at: string;
}

/** Those of Autocert's namespace, and those that ask for a certificate. */
export async function readUncreated(look: Look, namespace: string): Promise<readonly Uncreated[] | undefined> {
  const events = await look.list('/api/v1/events', 'events of all namespaces', MAX.events, attemptOf, {
    fieldSelector: 'reason=FailedCreate',
  });
  if (!events) return undefined;
  const last = new Map<string, Attempt>();
  for (const event of events) {
    const key = `${event.kind.plural}/${event.namespace}/${event.name}`;
    if ((last.get(key)?.at ?? '') <= event.at) last.set(key, event);
  }
  const newest = [...last.values()].sort((a, b) => (a.at < b.at ? 1 : -1)).slice(0, MAX.objects);
  const all = await Promise.all(newest.map((attempt) => uncreated(look, attempt, namespace)));
  return all.flatMap((one) => one ?? []);
}

function attemptOf({ involvedObject, message = '', ...event }: CoreV1Event): Attempt | undefined {
  const { kind: name, namespace = '' } = involvedObject;
  const kind = WORKLOAD_KINDS.find((one) => one.kind === name);
  if (!kind) return undefined;
  // Times of the API are strings, whatever the type says.
  const at = String(event.lastTimestamp ?? event.eventTime ?? event.metadata.creationTimestamp ?? '');
  return {
    kind,
    namespace,
    name: involvedObject.name ?? '',
    message: excerpt(message.replace(SIMILAR, ''), MAX_REFUSAL),
    at,
  };
}

async function uncreated(
  look: Look,
  { kind, namespace, name, message }: Attempt,
  system: string,
): Promise<Uncreated | undefined> {
  const path = `${workloadsPath(kind, namespace)}/${encodeURIComponent(name)}`;
  const found = await look.get<Manifest>(path, `${kind.plural} in namespace ${namespace}`);
  if (!found || !lacksPods(found)) return undefined;
  const { annotations } = podOf(found, kind)?.metadata ?? {};
  const asks = isRecord(annotations) && Boolean(annotations[Annotation.name]);
  if (!asks && namespace !== system) return undefined;
  return { namespace, object: `${kind.kind.toLowerCase()}/${name}`, message };
}

/** Whether a controller still wants pods that are not there. */
function lacksPods(object: Manifest): boolean {
  const { spec, status } = object as Partial<V1ReplicaSet> & { status?: Readonly<Record<string, unknown>> };
  const counts = (status ?? {}) as Readonly<Record<string, number | undefined>>;
  if (counts.desiredNumberScheduled !== undefined) {
    return (counts.currentNumberScheduled ?? 0) < counts.desiredNumberScheduled;
  }
  if (object.kind === 'Job') return !status?.conditions && (counts.active ?? 0) === 0 && (counts.succeeded ?? 0) === 0;
  return (counts.replicas ?? 0) < (spec?.replicas ?? 1);
}

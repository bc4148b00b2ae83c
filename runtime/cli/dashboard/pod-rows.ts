/**
 * Pods as the page shows them, and their sums by namespace. Pure.
 * @module
 */
import type { PodStatus } from '../observed/pods.ts';

/**
 * How a pod's certificate is. `good`: it is valid, and when it ends is known; `quiet`: its agent renews it, and has told
 * nothing; `waiting`: for its first; `late`: past its renewal; `missing`: the pod was not injected.
 */
export type PodState = 'expired' | 'failing' | 'missing' | 'late' | 'waiting' | 'good' | 'quiet';

/** One pod. Times are RFC 3339. */
export interface PodRow {
  readonly namespace: string;
  readonly name: string;
  /** What its certificate is for. */
  readonly names: string;
  readonly delivery?: 'native' | 'sidecar';
  readonly state: PodState;
  /** Why. */
  readonly reason?: string;
  readonly since?: string;
  readonly serial?: string;
  readonly notBefore?: string;
  readonly notAfter?: string;
  readonly renewsAt?: string;
}

/** The pods of one namespace. */
export interface NamespaceRow {
  readonly name: string;
  readonly pods: number;
  /** Of them, those that need a look. */
  readonly troubled: number;
  /** The first known end of a certificate. */
  readonly firstEnd?: string;
}

/** In the order in which they are shown. */
const STATES: readonly PodState[] = ['expired', 'failing', 'missing', 'late', 'waiting', 'good', 'quiet'];
/** Those that need a look. */
const TROUBLED: readonly PodState[] = ['expired', 'failing', 'missing', 'late'];
/** Part of its lifetime by which a certificate may be past its renewal: as in the metrics. */
const LATE = 0.1;

/** Whether somebody should look at it. */
export const isTroubled = ({ state }: PodRow): boolean => TROUBLED.includes(state);

/** Those that need a look first, then by namespace and name. */
export function podRows(pods: readonly PodStatus[], now: Date): PodRow[] {
  const key = ({ namespace, name }: PodRow) => `${namespace}/${name}`;
  return pods
    .map((pod) => podRow(pod, now))
    .toSorted((a, b) => STATES.indexOf(a.state) - STATES.indexOf(b.state) || (key(a) < key(b) ? -1 : 1));
}

function podRow(pod: PodStatus, now: Date): PodRow {
  const { namespace, name, certificateName, sans, delivery, since, request, certificate, warning } = pod;
  const { serial, issuedAt: notBefore, notAfter } = certificate ?? {};
  const times = {
    ...(notBefore !== undefined && { notBefore }),
    ...(notAfter !== undefined && { notAfter }),
    ...(request?.notBefore !== undefined && { notBefore: request.notBefore }),
    ...(request?.notAfter !== undefined && { notAfter: request.notAfter }),
    ...(request?.renewsAt !== undefined && { renewsAt: request.renewsAt }),
  };
  const reason = warning ? `${warning.reason}: ${warning.message}` : request?.message;
  return {
    namespace,
    name,
    names: sans ?? certificateName,
    ...(delivery && { delivery }),
    state: stateOf(pod, times, now.getTime()),
    ...(reason !== undefined && { reason }),
    ...(since !== undefined && { since }),
    ...(serial !== undefined && { serial }),
    ...times,
  };
}

function stateOf(
  { injected, request, warning }: PodStatus,
  { notBefore, notAfter, renewsAt }: Pick<PodRow, 'notBefore' | 'notAfter' | 'renewsAt'>,
  now: number,
): PodState {
  if (!injected) return 'missing';
  const end = Date.parse(notAfter ?? '');
  if (end <= now) return 'expired';
  if (warning || request?.state === 'Denied' || request?.state === 'Failed') return 'failing';
  const grace = (end - Date.parse(notBefore ?? '')) * LATE;
  if (Date.parse(renewsAt ?? '') + grace < now) return 'late';
  if (request?.state === 'Pending') return 'waiting';
  return notAfter === undefined ? 'quiet' : 'good';
}

/** By name. */
export function namespaceRows(pods: readonly PodRow[]): NamespaceRow[] {
  const groups = Map.groupBy(pods, ({ namespace }) => namespace);
  return [...groups]
    .map(([name, group]): NamespaceRow => {
      const [firstEnd] = group.flatMap(({ notAfter }) => notAfter ?? []).toSorted();
      const troubled = group.filter(isTroubled).length;
      return { name, pods: group.length, troubled, ...(firstEnd !== undefined && { firstEnd }) };
    })
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/**
 * One leader among several replicas, by a `coordination.k8s.io/v1` Lease. The decision is a plain function; the loop
 * around it takes its effects as functions.
 *
 * Clocks of two machines are never compared: a replica measures, on its own monotonic clock, how long the Lease has not
 * changed. Writes carry the resource version that was read, so that of two replicas that take it at once one fails.
 * @module
 */
import { messageOf } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';

/** What this program reads and writes of a Lease. */
export interface Lease {
  readonly apiVersion: 'coordination.k8s.io/v1';
  readonly kind: 'Lease';
  readonly metadata: { readonly namespace: string; readonly name: string; readonly resourceVersion?: string };
  readonly spec?: {
    /** Empty or absent: released. */
    readonly holderIdentity?: string;
    readonly leaseDurationSeconds?: number;
    readonly acquireTime?: string;
    readonly renewTime?: string;
    readonly leaseTransitions?: number;
  };
}

/** The Lease as last read, and since when (monotonic milliseconds) it has been seen exactly so. */
export interface Observation {
  readonly lease: Lease | undefined;
  readonly since: number;
}

/** Who asks, and how long a Lease holds without a sign of life. */
export interface Candidate {
  readonly identity: string;
  readonly leaseMs: number;
}

/** Effects of the election. Each call must end by itself (time-out): a hanging one would keep a dead leader in office. */
export interface ElectionPorts {
  /** `undefined`: there is none yet. */
  readonly read: () => Promise<Lease | undefined>;
  readonly create: (lease: Lease) => Promise<void>;
  /** Fails when the Lease has changed since it was read. */
  readonly update: (lease: Lease) => Promise<void>;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  readonly wallClock: () => Date;
  /** Returns early when `signal` aborts; never throws. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly log: Log;
}

/** Intervals of the election. */
export interface ElectionOptions {
  readonly namespace: string;
  readonly name: string;
  readonly identity: string;
  /** How long a Lease holds without a sign of life. @default 5000 */
  readonly leaseMs?: number;
  /** How often the leader renews it and a follower looks at it. @default 1000 */
  readonly intervalMs?: number;
  /** How long a leader that cannot renew stays in office; must be shorter than `leaseMs`. @default 3500 */
  readonly deadlineMs?: number;
}

/** The Lease that `candidate` should write now; `undefined`: another holds it. */
export function nextLease(
  observation: Observation,
  candidate: Candidate,
  at: { readonly now: number; readonly wallClock: Date; readonly namespace: string; readonly name: string },
): Lease | undefined {
  const { lease } = observation;
  const spec = lease?.spec;
  const time = microTime(at.wallClock);
  const mine = {
    holderIdentity: candidate.identity,
    leaseDurationSeconds: Math.ceil(candidate.leaseMs / 1000),
    renewTime: time,
  };
  if (spec?.holderIdentity === candidate.identity) {
    return { ...leaseOf(at, lease), spec: { ...spec, ...mine } };
  }
  const heldFor = (spec?.leaseDurationSeconds ?? 0) * 1000;
  if (spec?.holderIdentity && at.now - observation.since < heldFor) return undefined;
  return {
    ...leaseOf(at, lease),
    spec: { ...mine, acquireTime: time, leaseTransitions: lease ? (spec?.leaseTransitions ?? 0) + 1 : 0 },
  };
}

/** What a leader writes when it leaves, so that the next one need not wait. */
export function releasedLease(lease: Lease, wallClock: Date): Lease {
  return {
    ...lease,
    spec: { ...lease.spec, holderIdentity: '', leaseDurationSeconds: 1, renewTime: microTime(wallClock) },
  };
}

/**
 * Runs `lead` whenever this replica is the leader, until `stop` aborts. The signal that `lead` gets aborts when office
 * is lost; `lead` must end then. When it ends by itself or throws, the Lease is released and the election starts anew.
 */
export async function leadWhenElected(
  options: ElectionOptions,
  ports: ElectionPorts,
  lead: (signal: AbortSignal) => Promise<void>,
  stop: AbortSignal,
): Promise<void> {
  const { leaseMs = 5000, intervalMs = 1000, deadlineMs = 3500, identity } = options;
  let observation: Observation = { lease: undefined, since: ports.now() };

  /** `true`: the Lease is ours; `false`: another's; `undefined`: the question could not be answered. */
  const claim = async (): Promise<boolean | undefined> => {
    try {
      observation = observe(observation, await ports.read(), ports.now());
      const at = { ...options, now: ports.now(), wallClock: ports.wallClock() };
      const next = nextLease(observation, { identity, leaseMs }, at);
      if (!next) return false;
      await (observation.lease ? ports.update(next) : ports.create(next));
      return true;
    } catch (error) {
      ports.log.warn({ err: messageOf(error), identity }, 'cannot read or write the lease');
      return undefined;
    }
  };

  const serve = async (claimedAt: number): Promise<void> => {
    ports.log.info({ identity }, 'elected: this replica leads');
    const office = takeOffice(lead, ports.log);
    const until = AbortSignal.any([stop, office.ended]);
    let renewedAt = claimedAt;
    while (!until.aborted && ports.now() - renewedAt < deadlineMs) {
      await ports.sleep(intervalMs, until);
      if (until.aborted) break;
      const startedAt = ports.now();
      const held = await claim();
      if (held === false) break;
      if (held) renewedAt = startedAt;
    }
    await office.leave();
    ports.log.info({ identity }, 'this replica leads no longer');
    await release(ports, identity);
  };

  while (!stop.aborted) {
    const claimedAt = ports.now();
    if (await claim()) await serve(claimedAt);
    await ports.sleep(intervalMs, stop);
  }
}

interface Office {
  /** Aborts when `lead` has ended, for whatever reason. */
  readonly ended: AbortSignal;
  /** Tells `lead` to end and waits for it. */
  readonly leave: () => Promise<void>;
}

function takeOffice(lead: (signal: AbortSignal) => Promise<void>, log: Log): Office {
  const term = new AbortController();
  const ended = new AbortController();
  const work = lead(term.signal)
    .catch((error) => log.error({ err: messageOf(error) }, 'leading failed'))
    .finally(() => ended.abort());
  return {
    ended: ended.signal,
    leave: () => {
      term.abort();
      return work;
    },
  };
}

/** Best effort: without it the next leader only waits for the Lease to run out. */
async function release(ports: ElectionPorts, identity: string): Promise<void> {
  try {
    const lease = await ports.read();
    if (lease?.spec?.holderIdentity === identity) await ports.update(releasedLease(lease, ports.wallClock()));
  } catch (error) {
    ports.log.warn({ err: messageOf(error), identity }, 'lease not released');
  }
}

function observe(before: Observation, lease: Lease | undefined, now: number): Observation {
  const same = before.lease?.metadata.resourceVersion === lease?.metadata.resourceVersion;
  return { lease, since: same ? before.since : now };
}

function leaseOf(at: { readonly namespace: string; readonly name: string }, lease: Lease | undefined): Lease {
  const metadata = lease?.metadata ?? { namespace: at.namespace, name: at.name };
  return { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata };
}

/** The API's MicroTime has six digits. */
function microTime(date: Date): string {
  return date.toISOString().replace('Z', '000Z');
}

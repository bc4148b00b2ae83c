/**
 * One leader among several replicas, by a `coordination.k8s.io/v1` Lease, with the times of client-go. The decision is a
 * plain function; the loop around it takes its effects as functions.
 *
 * Clocks of two machines are never compared: a replica measures, on its own monotonic clock, how long the Lease has not
 * changed. Writes carry the resource version that was read, so that of two replicas that take it at once one fails. A
 * leader counts from the start of its last successful write, and gives up before any other may take the Lease, also when
 * a call hangs.
 * @module
 */
import type { V1Lease } from '@kubernetes/client-node';
import { messageOf } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import type { Sleep } from '../lib/loops.ts';
import type { AsJson } from './as-json.ts';

/** A Lease. `spec.holderIdentity` empty or absent: it was released. */
export type Lease = AsJson<V1Lease>;

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

/** Effects of the election. A call ends when its signal aborts; one that does not is left behind. */
export interface ElectionPorts {
  /** `undefined`: there is none yet. */
  readonly read: (signal: AbortSignal) => Promise<Lease | undefined>;
  /** Answers with the Lease as it is stored now. */
  readonly create: (lease: Lease, signal: AbortSignal) => Promise<Lease>;
  /** Answers with the Lease as it is stored now; fails when it has changed since it was read. */
  readonly update: (lease: Lease, signal: AbortSignal) => Promise<Lease>;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  readonly wallClock: () => Date;
  readonly sleep: Sleep;
  readonly log: Log;
}

/** Intervals of the election. */
export interface ElectionOptions {
  readonly namespace: string;
  readonly name: string;
  readonly identity: string;
  /** How long a Lease holds without a sign of life. @default 15000 */
  readonly leaseMs?: number;
  /** How long a leader that cannot renew stays in office; must be shorter than `leaseMs`. @default 10000 */
  readonly deadlineMs?: number;
  /** How often the leader renews it and a follower looks at it. @default 2000 */
  readonly intervalMs?: number;
  /** How long a call may take; less when the deadline is nearer. @default 5000 */
  readonly callMs?: number;
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
  const { identity, intervalMs = 2000, deadlineMs = 10_000 } = options;
  const { now, sleep, log } = ports;
  const claims = new Claims(options, ports);
  while (!stop.aborted) {
    const claim = await claims.claim();
    if (typeof claim === 'object') {
      log.info({ identity }, 'elected: this replica leads');
      const office = takeOffice(lead, log);
      await keepOffice(claim.since, AbortSignal.any([stop, office.ended]));
      await office.leave();
      log.info({ identity }, 'this replica leads no longer');
      await claims.release();
    }
    await sleep(intervalMs, stop);
  }

  /** Renews the Lease until it is lost, or cannot be renewed before the deadline, or `until` aborts. */
  async function keepOffice(claimedAt: number, until: AbortSignal): Promise<void> {
    let renewedAt = claimedAt;
    let startedAt = claimedAt;
    for (;;) {
      // From start to start: where calls are slow, two of them still fit before the deadline.
      await sleep(Math.min(startedAt + intervalMs, renewedAt + deadlineMs) - now(), until);
      startedAt = now();
      if (until.aborted || startedAt >= renewedAt + deadlineMs) return;
      const claim = await claims.claim(renewedAt + deadlineMs);
      if (claim === 'taken') return;
      if (claim !== 'unknown') renewedAt = claim.since;
    }
  }
}

/** `since`: when (monotonic milliseconds) the write began by which the Lease is ours. */
type Claim = { readonly since: number } | 'taken' | 'unknown';

/** Reads and writes the Lease, and remembers it, so that renewing it takes one call. */
class Claims {
  readonly #options: ElectionOptions;
  readonly #ports: ElectionPorts;
  #observation: Observation;
  /** Whether the observed Lease is what we wrote last. */
  #isOurs = false;

  constructor(options: ElectionOptions, ports: ElectionPorts) {
    this.#options = options;
    this.#ports = ports;
    this.#observation = { lease: undefined, since: ports.now() };
  }

  /** Takes or renews the Lease. `until`: when (monotonic milliseconds) the answer comes too late. */
  async claim(until = Number.POSITIVE_INFINITY): Promise<Claim> {
    const { read, create, update, now, wallClock, log } = this.#ports;
    const { identity, leaseMs = 15_000 } = this.#options;
    try {
      if (!this.#isOurs) this.#observe(await this.#call(until, read));
      const at = { ...this.#options, now: now(), wallClock: wallClock() };
      const next = nextLease(this.#observation, { identity, leaseMs }, at);
      if (!next) return 'taken';
      const write = this.#observation.lease ? update : create;
      const since = now();
      this.#observe(await this.#call(until, (signal) => write(next, signal)));
      this.#isOurs = true;
      return { since };
    } catch (error) {
      // Whatever was written meanwhile: it is read before the next write.
      this.#isOurs = false;
      log.warn({ reason: messageOf(error), identity }, 'cannot read or write the lease');
      return 'unknown';
    }
  }

  /** Best effort: without it the next leader only waits for the Lease to run out. */
  async release(): Promise<void> {
    const { read, update, wallClock, log } = this.#ports;
    const { identity } = this.#options;
    try {
      const lease = this.#isOurs ? this.#observation.lease : await this.#call(Number.POSITIVE_INFINITY, read);
      this.#isOurs = false;
      if (lease?.spec?.holderIdentity !== identity) return;
      const released = releasedLease(lease, wallClock());
      await this.#call(Number.POSITIVE_INFINITY, (signal) => update(released, signal));
    } catch (error) {
      log.warn({ reason: messageOf(error), identity }, 'lease not released');
    }
  }

  /** One call, ended at `until` or when it takes too long. */
  async #call<T>(until: number, call: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { now, sleep } = this.#ports;
    const ms = Math.min(this.#options.callMs ?? 5000, until - now());
    const answered = new AbortController();
    const late = new AbortController();
    const timeout = new Promise<never>((_, reject) => {
      late.signal.addEventListener('abort', () => reject(late.signal.reason));
    });
    void sleep(ms, answered.signal).then(() => {
      if (!answered.signal.aborted) late.abort(new Error(`no answer within ${Math.round(ms)} ms`));
    });
    try {
      return await Promise.race([call(late.signal), timeout]);
    } finally {
      answered.abort();
    }
  }

  #observe(lease: Lease | undefined): void {
    const { lease: before, since } = this.#observation;
    const same = before?.metadata?.resourceVersion === lease?.metadata?.resourceVersion;
    this.#observation = { lease, since: same ? since : this.#ports.now() };
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
    .catch((error) => log.error({ reason: messageOf(error) }, 'leading failed'))
    .finally(() => ended.abort());
  return {
    ended: ended.signal,
    leave: () => {
      term.abort();
      return work;
    },
  };
}

function leaseOf(at: { readonly namespace: string; readonly name: string }, lease: Lease | undefined): Lease {
  const metadata = lease?.metadata ?? { namespace: at.namespace, name: at.name };
  return { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata };
}

/** The API's MicroTime has six digits. */
function microTime(date: Date): string {
  return date.toISOString().replace('Z', '000Z');
}

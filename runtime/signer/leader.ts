/**
 * What the leader does while it is in office: keeps the trust bundle and its connections to the CA, and brings requests
 * to their status as they come. While the CA is away no request is begun, so the API server is asked nothing for it.
 * @module
 */
import type { Log } from '../lib/log.ts';
import { repeat, type Sleep } from '../lib/loops.ts';
import type { Issuer } from '../step-ca/issuer.ts';
import { type ListWatchPorts, listWatch, type RequestSink } from './list-watch.ts';
import type { SignerMetrics } from './metrics.ts';
import { type PodCertificateRequest, slim, Work } from './pod-certificate-request.ts';
import type { Result } from './reconciler.ts';
import { type Outcome, WorkQueue } from './work-queue.ts';

/** What the leader works with. */
export interface LeaderPorts {
  readonly reconcile: (work: Work) => Promise<Result>;
  readonly requests: Pick<ListWatchPorts, 'list' | 'watch'>;
  readonly issuer: Pick<Issuer, 'refresh' | 'probe' | 'outage' | 'roots'>;
  readonly publish: (roots: readonly string[]) => Promise<void>;
  readonly sleep: Sleep;
  readonly now: () => Date;
  /** Monotonic milliseconds. */
  readonly monotonic: () => number;
  readonly metrics: SignerMetrics;
  readonly log: Log;
}

/**
 * Requests in work at once. More would not be answered faster, only later all together: where a hundred came at once,
 * 4, 8 and 32 did as many a second, and with 32 each was in work for six times as long as with 4. A thousand pods that
 * start together are no storm.
 */
const IN_WORK = 8;
/** Requests held; each takes 1 to 4 kB, and as much again once it is signed and cannot be written. */
const CAPACITY = 20_000;
const BACKOFF = { item: { base: 500, cap: 30_000 }, all: { base: 200, cap: 10_000 } } as const;
/** Of an outage one line in this time, not one for each request that waits. */
const OUTAGE_LOG_MS = 5000;

const REFRESH_MS = 60_000;
const REFRESH_BACKOFF = { base: 2000, cap: 15_000 } as const;
/** Shorter than the time after which step-ca closes a connection that idles, 15 s. */
const PROBE_MS = 10_000;
const OUTAGE_PROBE_MS = 2000;

/** Leads until `signal` aborts; what is in work then is finished first. */
export async function lead(ports: LeaderPorts, signal: AbortSignal): Promise<void> {
  const { issuer, metrics, monotonic, sleep, log } = ports;
  const report = reporter(log, monotonic);
  const queue = new WorkQueue<Work>({
    limit: IN_WORK,
    capacity: CAPACITY,
    backoff: BACKOFF,
    held: () => issuer.outage !== undefined,
    work: async (work) => {
      const result = await ports.reconcile(work);
      const tookMs = monotonic() - work.seenAt;
      metrics.attempted(result.kind, tookMs / 1000);
      report(work, result, tookMs);
      return outcomeOf(result);
    },
  });
  metrics.leading(true);
  try {
    await Promise.all([
      keepRoots(ports, queue, signal),
      keepProbing(ports, queue, signal),
      listWatch({ ...ports.requests, sleep, log }, sinkOf(queue, ports), signal).then(() => queue.stop()),
    ]);
  } finally {
    metrics.leading(false);
    metrics.waiting(0);
  }
}

/** Files, key and roots are read every minute, and the roots published. */
async function keepRoots(ports: LeaderPorts, queue: WorkQueue<Work>, signal: AbortSignal): Promise<void> {
  const { issuer, publish, metrics, sleep, log } = ports;
  const refresh = async () => {
    await issuer.refresh().finally(() => queue.wake());
    await publish(issuer.roots);
  };
  await repeat(refresh, {
    what: 'trust bundle not published',
    everyMs: REFRESH_MS,
    backoff: REFRESH_BACKOFF,
    onOutcome: (problem) => metrics.published(problem === undefined),
    log,
    signal,
    sleep,
  });
}

/** Keeps the connections to the CA open, and notices the end of an outage. What it meets is known to the issuer. */
async function keepProbing(ports: LeaderPorts, queue: WorkQueue<Work>, signal: AbortSignal): Promise<void> {
  const { issuer, monotonic, sleep, log } = ports;
  let probedAt = monotonic();
  const probe = async () => {
    if (issuer.outage === undefined && monotonic() - probedAt < PROBE_MS) return;
    probedAt = monotonic();
    await issuer.probe().finally(() => queue.wake());
  };
  // The first refresh connects; a probe beside it would open the key a second time.
  await sleep(OUTAGE_PROBE_MS, signal);
  const backoff = { base: OUTAGE_PROBE_MS, cap: OUTAGE_PROBE_MS };
  await repeat(probe, { everyMs: OUTAGE_PROBE_MS, backoff, log, signal, sleep });
}

/** Requests of the watch become work; one that is known keeps what is remembered of it. */
function sinkOf(queue: WorkQueue<Work>, { metrics, monotonic, now }: LeaderPorts): RequestSink {
  const counted =
    <A extends unknown[], R>(change: (...args: A) => R) =>
    (...args: A): R => {
      const result = change(...args);
      metrics.waiting(queue.size);
      return result;
    };
  return {
    put: counted((request: PodCertificateRequest, isNew: boolean) => {
      const { uid, namespace } = request.metadata;
      const known = queue.get(uid);
      if (!known) return queue.put(uid, namespace, new Work(request, isNew, { monotonic: monotonic(), now: now() }));
      known.request = slim(request);
      return true;
    }),
    drop: counted((uid: string) => queue.drop(uid)),
    retain: counted((uids: ReadonlySet<string>) => queue.retain(uids)),
    get hasRoom() {
      return queue.size < CAPACITY / 4;
    },
  };
}

function outcomeOf(result: Result): Outcome {
  const { kind } = result;
  if (kind === 'unavailable') return { kind, leastMs: result.leastMs };
  if (kind === 'refused') return { kind: 'again', leastMs: result.leastMs };
  return { kind: kind === 'again' ? 'again' : 'done' };
}

/** One line a result; of what is tried again one for each reason. */
function reporter(log: Log, monotonic: () => number) {
  let outageLoggedAt = Number.NEGATIVE_INFINITY;
  return (work: Work, result: Result, tookMs: number): void => {
    const { metadata, spec } = work.request;
    const { kind, ...details } = result;
    const pod = { namespace: metadata.namespace, pod: spec.podName, request: metadata.name };
    const fields = { ...pod, result: kind, ...details, ms: Math.round(tookMs) };
    if (kind === 'issued') log.info(fields, 'certificate issued');
    else if (kind === 'denied' || kind === 'failed') log.warn(fields, `request ${kind}`);
    else if (kind === 'unavailable') {
      if (monotonic() - outageLoggedAt < OUTAGE_LOG_MS) return;
      outageLoggedAt = monotonic();
      log.warn(fields, 'requests wait: a peer does not answer');
    } else if (kind !== 'stale' && work.logged !== result.message) {
      work.logged = result.message;
      log.warn(fields, kind === 'refused' ? 'request refused for now' : 'request will be tried again');
    }
  };
}

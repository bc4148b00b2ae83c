/**
 * The leader's part in native delivery: brings requests to their status as they come, and publishes the CA's roots. It
 * begins when the API server has pod certificates, so that an upgraded cluster needs no new rollout. While the CA is away
 * no request is begun, so the API server is asked nothing for it.
 * @module
 */
import type { Log } from '../lib/log.ts';
import type { Sleep } from '../lib/loops.ts';
import { AUDIT_MESSAGE, auditFields } from '../step-ca/audit.ts';
import type { Issuer } from '../step-ca/issuer.ts';
import type { Duty } from './duty.ts';
import { type ListWatchPorts, listWatch, type RequestSink } from './list-watch.ts';
import type { SignerMetrics } from './metrics.ts';
import { claimOf, type PodCertificateRequest, slim, Work } from './pod-certificate-request.ts';
import type { Result } from './reconciler.ts';
import { type Outcome, WorkQueue } from './work-queue.ts';

/** Effects. */
export interface NativeDeliveryPorts {
  /** Whether the API server has pod certificates. */
  readonly isPossible: () => Promise<boolean>;
  readonly reconcile: (work: Work) => Promise<Result>;
  readonly requests: Pick<ListWatchPorts, 'list' | 'watch'>;
  readonly issuer: Pick<Issuer, 'outage' | 'roots'>;
  /** Publishes roots in the trust bundle. */
  readonly publish: (roots: readonly string[]) => Promise<void>;
  readonly sleep: Sleep;
  readonly now: () => Date;
  /** Monotonic milliseconds. */
  readonly monotonic: () => number;
  readonly metrics: SignerMetrics;
  readonly log: Log;
}

/** How often it is looked whether the API server has pod certificates now. */
const LOOK_AGAIN_MS = 30_000;
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

/** Native delivery during one term of office. */
export class NativeDelivery {
  readonly #ports: NativeDeliveryPorts;
  readonly #queue: WorkQueue<Work>;
  #possible: boolean | undefined;

  /** Does nothing until its {@link duty} is done. */
  constructor(ports: NativeDeliveryPorts) {
    this.#ports = ports;
    const { issuer, metrics, monotonic, log } = ports;
    const report = reporter(log, monotonic);
    this.#queue = new WorkQueue<Work>({
      limit: IN_WORK,
      capacity: CAPACITY,
      backoff: BACKOFF,
      held: () => issuer.outage !== undefined,
      work: async (work) => {
        const result = await ports.reconcile(work);
        const tookMs = monotonic() - work.seenAt;
        metrics.attempted(result, tookMs / 1000);
        report(work, result, tookMs);
        return outcomeOf(result);
      },
    });
  }

  /** Looks for pod certificates now and then; where there are any, answers requests until the leader goes. */
  get duty(): Duty {
    return {
      what: 'the API server cannot be asked for pod certificates',
      everyMs: LOOK_AGAIN_MS,
      run: (signal) => this.#lookOrDeliver(signal),
    };
  }

  /** The CA was asked: requests that waited for it are begun, if it is there. */
  wake(): void {
    this.#queue.wake();
  }

  /** Puts the roots into the trust bundle, where the API server has such. */
  async publish(): Promise<void> {
    if (this.#possible) await this.#ports.publish(this.#ports.issuer.roots);
  }

  /** Whether roots were read and published; if not, why. */
  refreshed(problem: string | undefined): void {
    if (this.#possible) this.#ports.metrics.published(problem === undefined);
  }

  async #lookOrDeliver(signal: AbortSignal): Promise<void> {
    const { isPossible, requests, issuer, sleep, log } = this.#ports;
    const before = this.#possible;
    this.#possible = await isPossible();
    if (!this.#possible) {
      if (before === undefined) {
        log.info(
          {},
          'no native delivery: this API server has no certificates.k8s.io/v1 pod certificates (Kubernetes 1.37)',
        );
      }
      return;
    }
    // The next refresh may be a minute away. Its failure is told there.
    if (issuer.roots.length > 0)
      await this.publish().then(
        () => this.refreshed(undefined),
        () => undefined,
      );
    await listWatch({ ...requests, sleep, log }, sinkOf(this.#queue, this.#ports), signal);
    await this.#queue.stop();
  }
}

/** Requests of the watch become work; one that is known keeps what is remembered of it. */
function sinkOf(queue: WorkQueue<Work>, { metrics, monotonic, now }: NativeDeliveryPorts): RequestSink {
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
    if (kind === 'issued') {
      const fields = { ...auditFields(claimOf(work.request), result, 'native', tookMs), request: metadata.name };
      log.info(fields, AUDIT_MESSAGE);
    } else if (kind === 'denied' || kind === 'failed') log.warn(fields, `request ${kind}`);
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

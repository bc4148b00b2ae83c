/**
 * What the leader does while it is in office: keeps the trust bundle and its connections to the CA, and answers requests
 * as they come.
 * @module
 */
import type { Log } from '../lib/log.ts';
import type { Answer } from './answer-request.ts';
import { type FollowPorts, followRequests } from './follow-requests.ts';
import type { SignerMetrics } from './metrics.ts';
import type { PodCertificateRequest } from './pod-certificate-request.ts';
import { keepTrustBundle, type TrustBundlePorts } from './trust-bundle.ts';
import { type Outcome, WorkQueue } from './work-queue.ts';

/** What the leader works with. */
export interface LeadPorts {
  readonly answer: (request: PodCertificateRequest, attempt: number) => Promise<Answer>;
  readonly requests: FollowPorts;
  readonly trustBundle: TrustBundlePorts;
  /** Uses the connections to the CA; throws what it meets. */
  readonly keepConnected: () => Promise<void>;
  /** Returns early when `signal` aborts; never throws. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly metrics: SignerMetrics;
  readonly log: Log;
}

/** A request, and when (monotonic milliseconds) the watch brought it. */
interface Task {
  readonly request: PodCertificateRequest;
  readonly seenAt: number;
}

/**
 * Requests in work at once. More would not be answered faster, only later all together: where a hundred came at once,
 * 4, 8 and 32 did as many a second, and with 32 each was in work for six times as long as with 4. A thousand pods that
 * start together are no storm.
 */
const IN_WORK = 8;
const PAUSE = { firstMs: 200, longestMs: 10_000 } as const;
/** Of an outage one line in this time, not one for each request that waits. */
const OUTAGE_LOG_MS = 5000;
/** Shorter than the time after which step-ca closes a connection that idles, 15 s. */
const CONNECTED_MS = 10_000;

/** Leads until `signal` aborts; what is in work then is finished first. */
export async function lead(ports: LeadPorts, signal: AbortSignal): Promise<void> {
  const { metrics } = ports;
  const report = reporter(ports.log);
  const queue = new WorkQueue<Task>({
    limit: IN_WORK,
    pause: PAUSE,
    work: async ({ request, seenAt }, attempt) => {
      const answer = await ports.answer(request, attempt);
      const took = performance.now() - seenAt;
      metrics.attempted(answer.kind, took / 1000);
      report(request, answer, took);
      return outcomeOf(answer);
    },
  });
  const counted =
    <A extends unknown[]>(change: (...args: A) => void) =>
    (...args: A) => {
      change(...args);
      metrics.waiting(queue.size);
    };
  const sink = {
    put: counted((uid: string, request: PodCertificateRequest) =>
      queue.put(uid, { request, seenAt: performance.now() }),
    ),
    drop: counted((uid: string) => queue.drop(uid)),
    retain: counted((uids: ReadonlySet<string>) => queue.retain(uids)),
  };
  metrics.leading(true);
  try {
    await Promise.all([
      keepTrustBundle(ports.trustBundle, signal),
      stayConnected(ports, signal),
      followRequests(ports.requests, sink, signal).then(() => queue.stop()),
    ]);
  } finally {
    metrics.leading(false);
    metrics.waiting(0);
  }
}

async function stayConnected({ keepConnected, sleep }: LeadPorts, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    // A CA that is away is reported by those who want something of it.
    await keepConnected().catch(() => undefined);
    await sleep(CONNECTED_MS, signal);
  }
}

function outcomeOf({ kind }: Answer): Outcome {
  return { kind: kind === 'again' || kind === 'unavailable' ? kind : 'done' };
}

/** One line an answer. */
function reporter(log: Log) {
  let outageLoggedAt = Number.NEGATIVE_INFINITY;
  return ({ metadata, spec }: PodCertificateRequest, answer: Answer, tookMs: number): void => {
    const { kind, ...details } = answer;
    const pod = { namespace: metadata.namespace, pod: spec.podName, request: metadata.name };
    const fields = { ...pod, result: kind, ...details, ms: Math.round(tookMs) };
    if (kind === 'issued') log.info(fields, 'certificate issued');
    else if (kind === 'denied' || kind === 'failed') log.warn(fields, `request ${kind}`);
    else if (kind === 'again') log.warn(fields, 'request will be tried again');
    else if (kind === 'unavailable' && performance.now() - outageLoggedAt > OUTAGE_LOG_MS) {
      outageLoggedAt = performance.now();
      log.warn(fields, 'requests wait: a peer does not answer');
    }
  };
}

/**
 * Keeps the queue in step with the API server: lists all requests of our signer (what was left when the last leader
 * went), then watches from there; lists again when the server says that the watch is too old, when anything breaks, and
 * when there is room again for what the queue had to leave out.
 * @module
 */
import type { WatchEventType } from '../kubernetes/client.ts';
import { messageOf } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { nextDelay, retryAfterMs, type Sleep } from '../lib/loops.ts';
import { isPending, type PodCertificateRequest } from './pod-certificate-request.ts';

/** Effects. */
export interface ListWatchPorts {
  /** Gives all there are now, page by page; resolves with the version from which to watch. */
  readonly list: (onPage: (items: readonly PodCertificateRequest[]) => void) => Promise<string>;
  /** Resolves when the server ends the stream, or `signal` aborts. */
  readonly watch: (
    resourceVersion: string,
    onEvent: (type: WatchEventType, object: PodCertificateRequest) => void,
    signal: AbortSignal,
  ) => Promise<void>;
  readonly sleep: Sleep;
  /** In [0, 1). @default Math.random */
  readonly random?: () => number;
  readonly log: Log;
}

/** Where requests go. */
export interface RequestSink {
  /** `isNew`: it was made just now. Answers `false` when there is no room for it. */
  put(request: PodCertificateRequest, isNew: boolean): boolean;
  drop(uid: string): void;
  /** Forgets all but these. */
  retain(uids: ReadonlySet<string>): void;
  /** Whether much of what was left out would fit in now. */
  readonly hasRoom: boolean;
}

/** Between two watches at least: a server that ends each one at once must not be stormed. */
const LEAST_MS = 1000;
const BACKOFF = { base: LEAST_MS, cap: 30_000 } as const;
/** A watch that has lasted so long was a good one. */
const GOOD_WATCH_MS = 30_000;

/** Runs until `signal` aborts; never throws. */
export async function listWatch(ports: ListWatchPorts, sink: RequestSink, signal: AbortSignal): Promise<void> {
  const { list, watch, sleep, random = Math.random, log } = ports;
  let version: string | undefined;
  let isIncomplete = false;
  let delay: number | undefined;
  while (!signal.aborted) {
    const startedAt = performance.now();
    const enough = new AbortController();
    let problem: unknown;
    try {
      if (version === undefined || isIncomplete) version = await relist();
      await watch(version, (type, object) => onEvent(type, object, enough), AbortSignal.any([signal, enough.signal]));
    } catch (error) {
      version = undefined;
      problem = error;
    }
    if (signal.aborted) return;
    const tookMs = performance.now() - startedAt;
    if (tookMs >= GOOD_WATCH_MS || version !== undefined) delay = undefined;
    if (version === undefined) delay = nextDelay(delay, random(), BACKOFF);
    const pause = Math.max(delay ?? 0, LEAST_MS - tookMs, retryAfterMs(problem) ?? 0);
    if (problem) {
      const fields = { reason: messageOf(problem), retryInMs: Math.round(pause) };
      log.warn(fields, 'watch of pod certificate requests broke: listing again');
    }
    if (pause > 0) await sleep(pause, signal);
  }

  async function relist(): Promise<string> {
    const pending = new Set<string>();
    let total = 0;
    isIncomplete = false;
    const from = await list((items) => {
      total += items.length;
      for (const request of items) {
        if (!isPending(request)) continue;
        pending.add(request.metadata.uid);
        if (!sink.put(request, false)) isIncomplete = true;
      }
    });
    sink.retain(pending);
    log.info({ pending: pending.size, total }, 'watching pod certificate requests');
    return from;
  }

  function onEvent(type: WatchEventType, object: PodCertificateRequest, enough: AbortController): void {
    if (type === 'ERROR') {
      // The object is a Status; most often "too old resource version".
      version = undefined;
      return;
    }
    version = object.metadata.resourceVersion ?? version;
    if (type === 'BOOKMARK') return;
    if (type === 'DELETED' || !isPending(object)) sink.drop(object.metadata.uid);
    else if (!sink.put(object, type === 'ADDED')) isIncomplete = true;
    if (isIncomplete && sink.hasRoom) enough.abort();
  }
}

/**
 * Keeps the queue in step with the API server: lists all requests of our signer (what was left when the last leader
 * went), then watches from there; lists again when the server says that the watch is too old, or anything breaks.
 * @module
 */
import { messageOf } from '../lib/errors.ts';
import type { WatchEventType } from '../kubernetes/client.ts';
import type { Log } from '../lib/log.ts';
import { isPending, type PodCertificateRequest } from './pod-certificate-request.ts';

/** Effects. */
export interface FollowPorts {
  /** Everything there is now, and the version from which to watch. */
  readonly list: () => Promise<{ readonly items: readonly PodCertificateRequest[]; readonly resourceVersion: string }>;
  /** Resolves when the server ends the stream. */
  readonly watch: (
    resourceVersion: string,
    onEvent: (type: WatchEventType, object: PodCertificateRequest) => void,
    signal: AbortSignal,
  ) => Promise<void>;
  /** Returns early when `signal` aborts; never throws. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly log: Log;
}

/** Where requests go: a `WorkQueue` is one. */
export interface RequestSink {
  put(uid: string, request: PodCertificateRequest): void;
  drop(uid: string): void;
  retain(uids: ReadonlySet<string>): void;
}

/** Between two watches at least: a server that ends each one at once must not be stormed. */
const RETRY_MS = 1000;

/** Runs until `signal` aborts; never throws. */
export async function followRequests(ports: FollowPorts, sink: RequestSink, signal: AbortSignal): Promise<void> {
  let version: string | undefined;
  const onEvent = (type: WatchEventType, object: PodCertificateRequest) => {
    if (type === 'ERROR') {
      // The object is a Status; most often "too old resource version".
      version = undefined;
      return;
    }
    version = object.metadata.resourceVersion ?? version;
    if (type === 'BOOKMARK') return;
    const { uid } = object.metadata;
    if (type === 'DELETED' || !isPending(object)) sink.drop(uid);
    else sink.put(uid, object);
  };
  while (!signal.aborted) {
    const startedAt = performance.now();
    try {
      if (version === undefined) {
        const { items, resourceVersion } = await ports.list();
        const pending = items.filter(isPending);
        sink.retain(new Set(pending.map(({ metadata }) => metadata.uid)));
        for (const request of pending) sink.put(request.metadata.uid, request);
        version = resourceVersion;
        ports.log.info({ pending: pending.length, total: items.length }, 'watching pod certificate requests');
      }
      await ports.watch(version, onEvent, signal);
    } catch (error) {
      if (signal.aborted) return;
      version = undefined;
      ports.log.warn({ err: messageOf(error) }, 'watch of pod certificate requests broke: listing again');
    }
    const rest = startedAt + RETRY_MS - performance.now();
    if (rest > 0) await ports.sleep(rest, signal);
  }
}

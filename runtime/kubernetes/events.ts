/**
 * Tells in `kubectl describe pod` why a pod has no certificate, or which it has: events on the pod. Best effort, and never a
 * burden: the same event of a pod at most once in ten minutes, at most five a second in all, in bounded memory.
 * @module
 */
import type { CoreV1Event } from '@kubernetes/client-node';
import { Allowance } from '../lib/allowance.ts';
import { messageOf } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import type { KubernetesApi } from './client.ts';

/** The pod that an event is about. */
export interface PodReference {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

/** Types of events, as the Kubernetes API has them. */
export type EventType = 'Normal' | 'Warning';

/** Effects and settings of {@link PodEvents}. */
export interface PodEventsOptions {
  readonly api: Pick<KubernetesApi, 'create'>;
  /** Who reports, such as `autocert-signer`. */
  readonly component: string;
  readonly log: Log;
  /** @default - the machine's clock */
  readonly now?: () => Date;
  /** Milliseconds. @default performance.now */
  readonly monotonic?: () => number;
}

/** The same event again only after this time. */
const REPEAT_AFTER_MS = 600_000;
const MAX_PER_SECOND = 5;
/** The API's own bound for the notes of its newer events; a longer text is cut. */
const MAX_MESSAGE = 1024;
const FAILURE_LOG_MS = 60_000;

/** See the module's header. */
export class PodEvents {
  readonly #options: PodEventsOptions;
  readonly #now: () => Date;
  readonly #monotonic: () => number;
  /** When (monotonic milliseconds) each event was told, oldest first. */
  readonly #told = new Map<string, number>();
  /** Holds a second's worth. */
  readonly #allowance: Allowance;
  #failureLoggedAt = Number.NEGATIVE_INFINITY;

  constructor(options: PodEventsOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => new Date());
    this.#monotonic = options.monotonic ?? (() => performance.now());
    this.#allowance = new Allowance(this.#monotonic, { perSecond: MAX_PER_SECOND, burst: MAX_PER_SECOND });
  }

  /**
   * Tells it, unless that was done lately or too much is told already. Returns at once, and never throws.
   * @param reason CamelCase
   */
  record(pod: PodReference, reason: string, message: string, type: EventType = 'Warning'): void {
    const text = message.length > MAX_MESSAGE ? `${message.slice(0, MAX_MESSAGE - 1)}…` : message;
    const key = `${pod.uid} ${reason} ${text}`;
    const now = this.#monotonic();
    const toldAt = this.#told.get(key);
    if ((toldAt !== undefined && now - toldAt < REPEAT_AFTER_MS) || !this.#allowance.take()) return;
    this.#remember(key, now);
    this.#send(pod, type, reason, text).catch((error) => {
      this.#told.delete(key);
      this.#failed(error);
    });
  }

  /** Five a second for ten minutes are 3,000: no more are remembered. */
  #remember(key: string, now: number): void {
    for (const [oldest, toldAt] of this.#told) {
      if (now - toldAt < REPEAT_AFTER_MS) break;
      this.#told.delete(oldest);
    }
    this.#told.set(key, now);
  }

  async #send(pod: PodReference, type: EventType, reason: string, message: string): Promise<void> {
    const { namespace, name, uid } = pod;
    const { api, component } = this.#options;
    const at = this.#now();
    const event: CoreV1Event = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { namespace, generateName: `${name}.` },
      involvedObject: { apiVersion: 'v1', kind: 'Pod', namespace, name, uid },
      type,
      reason,
      message,
      source: { component },
      firstTimestamp: at,
      lastTimestamp: at,
      count: 1,
    };
    await api.create(`/api/v1/namespaces/${encodeURIComponent(namespace)}/events`, event);
  }

  #failed(error: unknown): void {
    const now = this.#monotonic();
    if (now - this.#failureLoggedAt < FAILURE_LOG_MS) return;
    this.#failureLoggedAt = now;
    this.#options.log.warn({ reason: messageOf(error) }, 'events on pods cannot be written');
  }
}

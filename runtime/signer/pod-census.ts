/**
 * The leader's look at the pods that want a certificate: how many have been injected, and how many were started without,
 * which happens where the injector was away and is allowed to be (`failurePolicy: Ignore`), or came later than the pod.
 * @module
 */
import { Annotation, STATUS_INJECTED } from '../contract.ts';
import type { Log } from '../lib/log.ts';
import type { Metrics } from '../lib/metrics.ts';
import type { Duty } from './duty.ts';
import type { NativeLeaves } from './native-leaves.ts';

/** A pod's metadata, as far as it is looked at. */
export interface ListedPod {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly uid: string;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly deletionTimestamp?: string;
  };
}

/** Effects. */
export interface CensusPorts {
  /** Namespaces with our label. */
  readonly namespaces: () => Promise<readonly string[]>;
  /** Gives the pods of a namespace that have not ended, page by page. */
  readonly pods: (namespace: string, onPage: (pods: readonly ListedPod[]) => void) => Promise<void>;
  /** Namespaces whose pods never get a certificate. */
  readonly excluded: () => readonly string[];
  readonly leaves: Pick<NativeLeaves, 'retain'>;
  readonly now: () => Date;
  /** Monotonic milliseconds. */
  readonly monotonic: () => number;
  readonly log: Log;
}

/** One result. */
interface Census {
  readonly injected: number;
  readonly notInjected: number;
  readonly at: Date;
}

const EVERY_MS = 300_000;
/** Pods that are named in the log. */
const MAX_NAMED = 10;

/** Counts pods; see the module's header. */
export class PodCensus {
  readonly #ports: CensusPorts;
  #last: Census | undefined;
  #named = '';

  constructor(ports: CensusPorts) {
    this.#ports = ports;
  }

  /** The leader's duty. A list that breaks off counts nothing: the result of before stays. */
  get duty(): Duty {
    return { what: 'pods cannot be counted', everyMs: EVERY_MS, run: (signal) => this.#count(signal) };
  }

  /** Forgets the result. */
  clear(): void {
    this.#last = undefined;
  }

  /** Adds the gauges. `isKnown`: whether there is anything to tell. */
  addGauges(metrics: Metrics, isKnown: () => boolean): void {
    const told = (value: (census: Census) => number) => () =>
      this.#last && isKnown() ? [{ labels: {}, value: value(this.#last) }] : [];
    metrics.observed(
      'pods_injected',
      `Pods with the annotation ${Annotation.name} that have been injected.`,
      [],
      told(({ injected }) => injected),
    );
    metrics.observed(
      'pods_not_injected',
      `Pods with the annotation ${Annotation.name}, in namespaces with the label, that were started without injection.`,
      [],
      told(({ notInjected }) => notInjected),
    );
    metrics.observed(
      'pods_counted_timestamp_seconds',
      'When pods were last counted, Unix time.',
      [],
      told(({ at }) => at.getTime() / 1000),
    );
  }

  async #count(signal: AbortSignal): Promise<void> {
    const { namespaces, pods, excluded, leaves, now, monotonic } = this.#ports;
    const startedAt = monotonic();
    const injected = new Set<string>();
    const left: string[] = [];
    let notInjected = 0;
    for (const namespace of await namespaces()) {
      if (excluded().includes(namespace)) continue;
      await pods(namespace, (page) => {
        for (const { metadata } of page) {
          const { annotations = {}, deletionTimestamp, name, uid } = metadata;
          if (annotations[Annotation.name] === undefined || deletionTimestamp !== undefined) continue;
          if (annotations[Annotation.status] === STATUS_INJECTED) injected.add(uid);
          else {
            notInjected += 1;
            if (left.length < MAX_NAMED) left.push(`${namespace}/${name}`);
          }
        }
      });
      if (signal.aborted) return;
    }
    leaves.retain(injected, startedAt);
    this.#last = { injected: injected.size, notInjected, at: now() };
    this.#tell(notInjected, left);
  }

  /** Once, until it is something else. */
  #tell(notInjected: number, pods: readonly string[]): void {
    const named = pods.join();
    if (named !== this.#named && notInjected > 0) {
      this.#ports.log.warn({ notInjected, pods }, 'pods were started without injection: start them anew');
    }
    this.#named = named;
  }
}

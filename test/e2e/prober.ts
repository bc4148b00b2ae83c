/**
 * Fresh pods: how long one takes to have its certificate. Asked for again and again until the API server takes it, as the
 * controller of a Deployment would.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Annotation, STATUS_INJECTED } from '../../runtime/contract.ts';
import { isReady, type KubernetesObject, type Pod } from '../../scripts/cluster/kubectl.ts';
import { testPod } from '../../scripts/cluster/workloads.ts';
import { type Api, ApiRefusal } from './api.ts';

/** How a pod gets its files. */
export type DeliveryName = 'native' | 'sidecar';

/** Which pods a {@link Prober} makes. */
export interface ProberOptions {
  /** Has its label; nothing else makes pods of these names there. */
  readonly namespace: string;
  /** Those of {@link Prober.keepStarting}, by turns. */
  readonly deliveries: readonly DeliveryName[];
  /** Of the certificates. @default - Autocert's own */
  readonly lifetimes?: Readonly<Record<DeliveryName, string>>;
  /** Where its pods run. @default - anywhere */
  readonly node?: string;
}

/** How often pods are started, and how long one may take. */
export interface Pace {
  readonly everyMs: number;
  /** Most pods under way at a time. */
  readonly most: number;
  readonly limitMs: number;
  /** Looks at a pod that is ready, before it is deleted. */
  readonly check?: (started: Started) => Promise<void>;
  /** Ends those under way. */
  readonly signal?: AbortSignal;
}

/** A pod that came up. */
export interface Started {
  readonly pod: Pod;
  /** From when it was first asked for until it was ready. */
  readonly ms: number;
  /** Whether Autocert had it: pods that are made while nobody injects have no certificate. */
  readonly injected: boolean;
  /** From the first refusal to the admission; 0: not refused. */
  readonly refusedMs: number;
  /** Why it was refused last, if it was. */
  readonly refusal?: string;
}

/** Pods that are started until it is stopped. */
export interface Starting {
  /** How those fared that were begun since the last time, once all have come to their end. */
  readonly take: () => Promise<readonly (Started | Error)[]>;
  /** Begins no more; how the rest fared. */
  readonly stop: () => Promise<readonly (Started | Error)[]>;
}

const POLL_MS = 100;

/** Makes pods. */
export class Prober {
  readonly #api: Pick<Api, 'get' | 'post' | 'delete'>;
  readonly #options: ProberOptions;
  readonly #pods: string;
  /** Of its own, so that a pod of an earlier one that has not quite gone is not taken for a new one. */
  readonly #prefix = `probe-${randomBytes(3).toString('hex')}`;
  #number = 0;

  constructor(api: Pick<Api, 'get' | 'post' | 'delete'>, options: ProberOptions) {
    this.#api = api;
    this.#options = options;
    this.#pods = `/api/v1/namespaces/${options.namespace}/pods`;
  }

  /** Makes a pod and waits until it is ready; whoever is done with it deletes it. */
  async start(delivery: DeliveryName, deadline: number, signal?: AbortSignal): Promise<Started> {
    const name = `${this.#prefix}-${++this.#number}`;
    const body = this.#bodyOf(name, delivery);
    const started = Date.now();
    let refusedAt: number | undefined;
    let refusedMs = 0;
    let refusal: string | undefined;
    let missing = `a pod with ${delivery} delivery was not made`;
    let made = false;
    const admitted = () => {
      made = true;
      refusedMs = refusedAt === undefined ? 0 : Date.now() - refusedAt;
    };
    for (; Date.now() < deadline; await sleep(POLL_MS)) {
      signal?.throwIfAborted();
      try {
        if (!made) {
          await this.#api.post(this.#pods, body);
          admitted();
        }
        const pod = await this.#api.get<Pod>(`${this.#pods}/${name}`);
        if (isReady(pod)) {
          const injected = pod.metadata.annotations?.[Annotation.status] === STATUS_INJECTED;
          return { pod, ms: Date.now() - started, injected, refusedMs, ...(refusal !== undefined && { refusal }) };
        }
        missing = `${name}, ${delivery} delivery, has no certificate: ${pod.status.phase}`;
      } catch (error) {
        if (!(error instanceof ApiRefusal)) throw error;
        if (error.status === 409)
          admitted(); // it was made, and the answer lost
        else if (!made) {
          refusedAt ??= Date.now();
          refusal = error.message;
          missing = `a pod with ${delivery} delivery was refused: ${refusal}`;
          await sleep(2 * POLL_MS);
        }
      }
    }
    const events = await this.#events(name).catch(() => '');
    await this.end(name);
    throw new Error(`${missing} after ${Math.round((Date.now() - started) / 1000)} s ${events}`.trim());
  }

  /** Deletes a pod. */
  async end(name: string): Promise<void> {
    await this.#api.delete(`${this.#pods}/${name}`).catch(() => undefined);
  }

  /** Starts a pod every few seconds, by turns of each delivery, until it is stopped. */
  keepStarting({ everyMs, most, limitMs, check, signal }: Pace): Starting {
    const { deliveries } = this.#options;
    const results: Promise<Started | Error>[] = [];
    let underWay = 0;
    let running = true;
    let turn = 0;
    const another = () => {
      const delivery = deliveries[turn++ % deliveries.length];
      if (!running || underWay >= most || delivery === undefined) return;
      underWay++;
      const attempt = this.start(delivery, Date.now() + limitMs, signal)
        .then(async (started) => {
          await check?.(started);
          await this.end(started.pod.metadata.name);
          return started;
        })
        .catch((error: unknown) => (error instanceof Error ? error : new Error(String(error))))
        .finally(() => underWay--);
      results.push(attempt);
    };
    another();
    another();
    const timer = setInterval(another, everyMs);
    const take = () => Promise.all(results.splice(0));
    return {
      take,
      stop: () => {
        running = false;
        clearInterval(timer);
        return take();
      },
    };
  }

  #bodyOf(name: string, delivery: DeliveryName): object {
    const { namespace, lifetimes, node } = this.#options;
    return testPod(namespace, name, {
      annotations: {
        [Annotation.name]: `${name}.${namespace}.svc.cluster.local`,
        [Annotation.delivery]: delivery,
        ...(lifetimes && { [Annotation.duration]: lifetimes[delivery] }),
      },
      spec: {
        terminationGracePeriodSeconds: 1,
        ...(node !== undefined && { nodeSelector: { 'kubernetes.io/hostname': node } }),
      },
    });
  }

  async #events(name: string): Promise<string> {
    const query = `fieldSelector=involvedObject.name%3D${name}`;
    const list = await this.#api.get<{ items: readonly (KubernetesObject & { reason: string; message: string })[] }>(
      `/api/v1/namespaces/${this.#options.namespace}/events?${query}`,
    );
    const said = list.items.map(({ reason, message }) => `${reason}: ${message}`);
    return `(${said.slice(-3).join('; ').slice(0, 900)})`;
  }
}

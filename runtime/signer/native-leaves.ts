/**
 * What the leader knows of the certificates in natively served pods: those that it has issued itself since it took
 * office, for pods that are there still. A leader that is new knows of none; after two thirds of a lifetime of all.
 * @module
 */
import type { Metrics, Sample } from '../lib/metrics.ts';
import { putNewest } from '../lib/newest.ts';
import type { Issued } from './pod-certificate-request.ts';

/** A pod's certificate. Milliseconds since 1970, but for the first. */
interface Leaf {
  /** When it became known, monotonic milliseconds. */
  readonly knownAt: number;
  readonly dueAt: number;
  readonly lateAt: number;
  readonly notAfter: number;
}

/** Certificates that are remembered, of some 100 bytes each; beyond them the oldest is forgotten. */
const MAX_LEAVES = 200_000;
/** Kubelet itself adds up to this to the time at which it is to renew. */
const KUBELET_JITTER_MS = 300_000;

const delivery = 'native';

/** See the module's header. */
export class NativeLeaves {
  /** By the pod's UID, oldest first. */
  readonly #leaves = new Map<string, Leaf>();
  readonly #monotonic: () => number;
  readonly #now: () => Date;

  constructor(clocks: { readonly monotonic: () => number; readonly now: () => Date }) {
    this.#monotonic = clocks.monotonic;
    this.#now = clocks.now;
  }

  /** The pod has this certificate now, and the one before no more. */
  add(podUID: string, { notBefore, notAfter, refreshAt }: Issued): void {
    const dueAt = refreshAt.getTime() + KUBELET_JITTER_MS;
    const leaf = {
      knownAt: this.#monotonic(),
      dueAt,
      lateAt: dueAt + (notAfter.getTime() - notBefore.getTime()) / 10,
      notAfter: notAfter.getTime(),
    };
    putNewest(this.#leaves, podUID, leaf, MAX_LEAVES);
  }

  /** Forgets the pods that are gone. `seenAt`: when `pods` began to be listed; who came later cannot be among them. */
  retain(pods: ReadonlySet<string>, seenAt: number): void {
    for (const [uid, { knownAt }] of this.#leaves) if (knownAt < seenAt && !pods.has(uid)) this.#leaves.delete(uid);
  }

  clear(): void {
    this.#leaves.clear();
  }

  /** Adds the gauges. `isKnown`: whether there is anything to tell. */
  addGauges(metrics: Metrics, isKnown: () => boolean): void {
    const told = (values: () => readonly number[]) => (): Iterable<Sample<'delivery'>> =>
      isKnown() ? values().map((value) => ({ labels: { delivery }, value })) : [];
    const passed = (time: 'dueAt' | 'lateAt') =>
      told(() => {
        const now = this.#now().getTime();
        return [[...this.#leaves.values()].filter((leaf) => leaf[time] <= now).length];
      });
    const labels = ['delivery'] as const;
    metrics.observed('certificates_due', 'Certificates whose time to be renewed has come.', labels, passed('dueAt'));
    metrics.observed('certificates_late', 'Certificates that ought to have been renewed.', labels, passed('lateAt'));
    metrics.observed(
      'certificates_known',
      'Certificates in pods that the leader has issued itself and so knows of.',
      labels,
      told(() => [this.#leaves.size]),
    );
    metrics.observed(
      'leaf_earliest_not_after_timestamp_seconds',
      'Earliest notAfter of pods’ certificates, as far as it is known, Unix time.',
      labels,
      told(() => this.#earliest()),
    );
  }

  #earliest(): readonly number[] {
    let earliest = Number.POSITIVE_INFINITY;
    for (const { notAfter } of this.#leaves.values()) earliest = Math.min(earliest, notAfter);
    return Number.isFinite(earliest) ? [earliest / 1000] : [];
  }
}

/**
 * Pods of other installations in the same cluster: they are theirs to look after, and are counted. Pure.
 * @module
 */
import { isAutocertIn, type Origin } from '../../kubernetes/pod-origin.ts';

/** How many pods another installation has here. */
export type OtherPods = (Origin | { readonly kind: 'more'; readonly namespace?: undefined }) & {
  readonly pods: number;
};

/** Installations that are told apart; whoever creates pods can make up names of them. */
const MAX_INSTALLATIONS = 10;

/** Tells the pods of the installation in `namespace` from those of others. */
export class OwnPods {
  readonly #namespace: string;
  readonly #others = new Map<string, OtherPods>();

  constructor(namespace: string) {
    this.#namespace = namespace;
  }

  /** Whether a pod is this installation's, and so is one of which nobody knows; another's is counted. */
  has(origin: Origin | undefined): boolean {
    if (origin === undefined || isAutocertIn(origin, this.#namespace)) return true;
    const key = `${origin.kind} ${origin.namespace ?? ''}`;
    const isKnown = this.#others.has(key) || this.#others.size < MAX_INSTALLATIONS;
    const kept = isKnown ? key : 'more';
    const named = isKnown ? origin : ({ kind: 'more' } as const);
    this.#others.set(kept, { ...named, pods: (this.#others.get(kept)?.pods ?? 0) + 1 });
    return false;
  }

  /** Those that were counted. */
  get others(): readonly OtherPods[] {
    return [...this.#others.values()];
  }
}

/** In one line; `undefined`: there are none. */
export function otherPodsText(others: readonly OtherPods[]): string | undefined {
  if (others.length === 0) return undefined;
  const words = others.map(({ pods, ...of }) => `${pods} of ${nameOf(of)}`);
  return `Of other installations, and not told of here: ${words.join(', ')}`;
}

function nameOf({ kind, namespace }: Omit<OtherPods, 'pods'>): string {
  if (kind === 'original') return 'the Go original';
  return kind === 'autocert' ? `Autocert in namespace ${namespace}` : 'more';
}

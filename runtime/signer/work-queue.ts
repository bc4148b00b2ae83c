/**
 * A queue that keeps the signer fair, and from storming its peers: a bounded number of items in work, each key once;
 * namespaces in turn, first in, first out within one; and when a peer is down everything waits together, with growing
 * pauses, instead of each item knocking on its own.
 *
 * What it holds is bounded. A namespace may have as many items as there are places left: one that floods the queue gets
 * half of the places, and others find room beside it.
 * @module
 */
import { type BackoffBounds, clamp, nextDelay } from '../lib/loops.ts';

/** How one attempt ended. */
export interface Outcome {
  /** `again`: this item has to be tried again; `unavailable`: a peer that all items need does not answer. */
  readonly kind: 'done' | 'again' | 'unavailable';
  /** Pause before the next attempt at least, milliseconds. @default 0 */
  readonly leastMs?: number | undefined;
}

/** Settings of a {@link WorkQueue}. */
export interface WorkQueueOptions<T> {
  /** Items in work at once. */
  readonly limit: number;
  /** Items held at most. */
  readonly capacity: number;
  /** Must not throw. */
  readonly work: (item: T) => Promise<Outcome>;
  /** `true`: nothing is to be begun now; {@link WorkQueue.wake} has to be called when that ends. @default - never */
  readonly held?: () => boolean;
  /** Pauses of an item, and of all. */
  readonly backoff: { readonly item: BackoffBounds; readonly all: BackoffBounds };
  /** In [0, 1). @default Math.random */
  readonly random?: () => number;
}

interface Entry<T> {
  readonly key: string;
  readonly namespace: string;
  item: T;
  delay: number | undefined;
  timer: NodeJS.Timeout | undefined;
}

/** The items of one namespace. */
interface Lane<T> {
  /** All that are held. */
  size: number;
  /** Those that a peer's outage has put back: they go first. */
  readonly returned: Map<string, Entry<T>>;
  readonly waiting: Map<string, Entry<T>>;
}

/** Longest pause that a peer may ask for. */
const LONGEST_PAUSE_MS = 60_000;

/** See the module's header. */
export class WorkQueue<T> {
  readonly #options: WorkQueueOptions<T>;
  readonly #entries = new Map<string, Entry<T>>();
  readonly #lanes = new Map<string, Lane<T>>();
  /** Namespaces with an item to begin, in the order of their turns. */
  readonly #turns = new Set<string>();
  readonly #whenIdle: (() => void)[] = [];
  #working = 0;
  #delay: number | undefined;
  #pause: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: WorkQueueOptions<T>) {
    this.#options = options;
  }

  /** Items that are not done. */
  get size(): number {
    return this.#entries.size;
  }

  /** The item under `key`. */
  get(key: string): T | undefined {
    return this.#entries.get(key)?.item;
  }

  /** Adds an item; one that is there already is replaced for its next attempt. `false`: there is no room for it now. */
  put(key: string, namespace: string, item: T): boolean {
    const known = this.#entries.get(key);
    if (known) {
      known.item = item;
      return true;
    }
    const lane = this.#lanes.get(namespace) ?? { size: 0, returned: new Map(), waiting: new Map() };
    if (this.#stopped || lane.size >= this.#options.capacity - this.#entries.size) return false;
    const entry: Entry<T> = { key, namespace, item, delay: undefined, timer: undefined };
    lane.size += 1;
    this.#lanes.set(namespace, lane);
    this.#entries.set(key, entry);
    this.#queue(entry, 'waiting');
    this.wake();
    return true;
  }

  /** Forgets an item that nobody waits for any more; an attempt under way ends by itself. */
  drop(key: string): void {
    const entry = this.#entries.get(key);
    const lane = entry && this.#lanes.get(entry.namespace);
    if (!lane) return;
    this.#entries.delete(key);
    clearTimeout(entry.timer);
    lane.returned.delete(key);
    lane.waiting.delete(key);
    lane.size -= 1;
    if (lane.returned.size + lane.waiting.size === 0) this.#turns.delete(entry.namespace);
    if (lane.size === 0) this.#lanes.delete(entry.namespace);
  }

  /** Forgets all but `keys`: what a new list no longer has was deleted unseen. */
  retain(keys: ReadonlySet<string>): void {
    for (const key of this.#entries.keys()) if (!keys.has(key)) this.drop(key);
  }

  /** Begins what may be begun. */
  wake(): void {
    const { limit, held } = this.#options;
    if (this.#stopped || this.#pause !== undefined || this.#turns.size === 0 || held?.()) return;
    while (this.#working < limit) {
      const entry = this.#next();
      if (!entry) return;
      void this.#attempt(entry);
    }
  }

  /** Begins nothing more; resolves when what is in work has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#pause);
    if (this.#working > 0) await new Promise<void>((resolve) => this.#whenIdle.push(resolve));
    for (const key of this.#entries.keys()) this.drop(key);
  }

  #queue(entry: Entry<T>, where: 'returned' | 'waiting'): void {
    this.#lanes.get(entry.namespace)?.[where].set(entry.key, entry);
    this.#turns.add(entry.namespace);
  }

  /** The first item of the namespace whose turn it is; the namespace goes to the end of the row. */
  #next(): Entry<T> | undefined {
    for (const namespace of this.#turns) {
      this.#turns.delete(namespace);
      const lane = this.#lanes.get(namespace);
      const source = lane?.returned.size ? lane.returned : lane?.waiting;
      const [entry] = source?.values() ?? [];
      if (!lane || !entry) continue;
      source?.delete(entry.key);
      if (lane.returned.size + lane.waiting.size > 0) this.#turns.add(namespace);
      return entry;
    }
    return undefined;
  }

  async #attempt(entry: Entry<T>): Promise<void> {
    this.#working += 1;
    const { kind, leastMs = 0 } = await this.#options.work(entry.item);
    this.#working -= 1;
    const isHeld = this.#entries.get(entry.key) === entry;
    if (kind === 'unavailable') {
      this.#rest(leastMs);
      if (isHeld) this.#queue(entry, 'returned');
    } else {
      this.#delay = undefined;
      if (isHeld && kind === 'done') this.drop(entry.key);
      else if (isHeld) this.#retry(entry, leastMs);
    }
    if (this.#working === 0) for (const resolve of this.#whenIdle.splice(0)) resolve();
    this.wake();
  }

  #retry(entry: Entry<T>, leastMs: number): void {
    entry.delay = nextDelay(entry.delay, this.#random(), this.#options.backoff.item);
    const again = () => {
      entry.timer = undefined;
      this.#queue(entry, 'waiting');
      this.wake();
    };
    if (!this.#stopped) entry.timer = setTimeout(again, pauseOf(entry.delay, leastMs));
  }

  /** The failures of one wave count once. */
  #rest(leastMs: number): void {
    if (this.#pause !== undefined || this.#stopped) return;
    this.#delay = nextDelay(this.#delay, this.#random(), this.#options.backoff.all);
    this.#pause = setTimeout(
      () => {
        this.#pause = undefined;
        this.wake();
      },
      pauseOf(this.#delay, leastMs),
    );
  }

  #random(): number {
    return (this.#options.random ?? Math.random)();
  }
}

function pauseOf(delay: number, leastMs: number): number {
  return clamp(Math.max(delay, leastMs), 0, LONGEST_PAUSE_MS);
}

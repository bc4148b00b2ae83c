/**
 * A queue that keeps the signer from storming its peers: a bounded number of items in work, each key once, and when a
 * peer is down everything waits together, with growing pauses, instead of each item knocking on its own.
 * @module
 */

/** How one attempt ended. */
export type Outcome =
  | { readonly kind: 'done' }
  /** This item has to be tried again; the others go on. */
  | { readonly kind: 'again' }
  /** A peer that all items need does not answer. */
  | { readonly kind: 'unavailable' };

/** Settings of a {@link WorkQueue}. */
export interface WorkQueueOptions<T> {
  /** Items in work at once. */
  readonly limit: number;
  /** Must not throw. `attempt` counts from 1. */
  readonly work: (item: T, attempt: number) => Promise<Outcome>;
  /** First and longest pause, milliseconds. */
  readonly pause: { readonly firstMs: number; readonly longestMs: number };
  /** In [0, 1). @default Math.random */
  readonly random?: () => number;
}

interface Entry<T> {
  item: T;
  attempt: number;
  state: 'waiting' | 'working' | 'resting';
}

/** First in, first out; see the module's header. */
export class WorkQueue<T> {
  readonly #options: WorkQueueOptions<T>;
  readonly #entries = new Map<string, Entry<T>>();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #idle: (() => void)[] = [];
  #working = 0;
  #failures = 0;
  #paused = false;
  #stopped = false;

  constructor(options: WorkQueueOptions<T>) {
    this.#options = options;
  }

  /** Items that are not done. */
  get size(): number {
    return this.#entries.size;
  }

  /** Adds an item; one that is there already under `key` is replaced for its next attempt. */
  put(key: string, item: T): void {
    const entry = this.#entries.get(key);
    if (entry) entry.item = item;
    else if (!this.#stopped) this.#entries.set(key, { item, attempt: 0, state: 'waiting' });
    this.#start();
  }

  /** Forgets an item that nobody waits for any more; an attempt under way ends by itself. */
  drop(key: string): void {
    this.#entries.delete(key);
  }

  /** Forgets all but `keys`: what a new list no longer has was deleted unseen. */
  retain(keys: ReadonlySet<string>): void {
    for (const key of this.#entries.keys()) if (!keys.has(key)) this.#entries.delete(key);
  }

  /** Starts nothing more; resolves when what is in work has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    if (this.#working > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
    this.#entries.clear();
  }

  #start(): void {
    if (this.#stopped || this.#paused || this.#working >= this.#options.limit) return;
    for (const [key, entry] of this.#entries) {
      if (entry.state !== 'waiting') continue;
      void this.#attempt(key, entry);
      if (this.#working >= this.#options.limit) return;
    }
  }

  async #attempt(key: string, entry: Entry<T>): Promise<void> {
    entry.state = 'working';
    entry.attempt += 1;
    this.#working += 1;
    const { kind } = await this.#options.work(entry.item, entry.attempt);
    this.#working -= 1;
    if (kind === 'done') {
      if (this.#entries.get(key) === entry) this.#entries.delete(key);
      this.#failures = 0;
    } else if (kind === 'again') {
      entry.state = 'resting';
      this.#after(this.#pauseMs(entry.attempt), () => {
        entry.state = 'waiting';
      });
    } else {
      entry.state = 'waiting';
      this.#pause();
    }
    if (this.#working === 0) for (const resolve of this.#idle.splice(0)) resolve();
    this.#start();
  }

  /** The failures of one wave count once. */
  #pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#failures += 1;
    this.#after(this.#pauseMs(this.#failures), () => {
      this.#paused = false;
    });
  }

  #pauseMs(failures: number): number {
    const { firstMs, longestMs } = this.#options.pause;
    const { random = Math.random } = this.#options;
    return Math.min(longestMs, firstMs * 2 ** Math.min(failures - 1, 16)) * (0.5 + random() / 2);
  }

  #after(ms: number, then: () => void): void {
    if (this.#stopped) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      then();
      this.#start();
    }, ms);
    this.#timers.add(timer);
  }
}

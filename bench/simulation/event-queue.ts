/**
 * Simulated time, and chance that can be repeated.
 * @module
 */

interface Event {
  readonly at: number;
  readonly order: number;
  readonly run: () => Promise<unknown>;
}

/** Runs events in the order of their times; time passes between them and never within one. */
export class EventQueue {
  /** Simulated milliseconds since the start. */
  now = 0;
  /** A binary heap. */
  readonly #events: Event[] = [];
  #order = 0;

  /** Adds an event `inMs` from now. */
  add(inMs: number, run: Event['run']): void {
    const events = this.#events;
    this.#order += 1;
    let index = events.push({ at: this.now + inMs, order: this.#order, run }) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!this.#isBefore(index, parent)) break;
      this.#swap(index, parent);
      index = parent;
    }
  }

  /** Runs everything before `endMs`. */
  async runUntil(endMs: number): Promise<void> {
    for (let next = this.#take(); next && next.at < endMs; next = this.#take()) {
      this.now = Math.max(this.now, next.at);
      await next.run();
    }
    this.now = endMs;
  }

  #take(): Event | undefined {
    const events = this.#events;
    const first = events[0];
    const last = events.pop();
    if (last === undefined || events.length === 0) return first;
    events[0] = last;
    for (let index = 0; ; ) {
      let least = index;
      for (const child of [2 * index + 1, 2 * index + 2]) {
        if (child < events.length && this.#isBefore(child, least)) least = child;
      }
      if (least === index) return first;
      this.#swap(index, least);
      index = least;
    }
  }

  #isBefore(one: number, other: number): boolean {
    const [a, b] = [this.#events[one], this.#events[other]];
    return a !== undefined && b !== undefined && (a.at - b.at || a.order - b.order) < 0;
  }

  #swap(one: number, other: number): void {
    const [a, b] = [this.#events[one], this.#events[other]];
    if (a && b) [this.#events[one], this.#events[other]] = [b, a];
  }
}

/** Numbers in [0, 1), the same for the same seed (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed * 0x9e3779b9;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

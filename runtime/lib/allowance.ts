/**
 * How often something may happen.
 * @module
 */
import { putNewest } from './newest.ts';

/** `burst` at once, then `perSecond`. */
export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

/** Lets something happen at most so often. */
export class Allowance {
  readonly #monotonic: () => number;
  readonly #rate: Rate;
  #left: number;
  #at: number;

  constructor(monotonic: () => number, rate: Rate) {
    this.#monotonic = monotonic;
    this.#rate = rate;
    this.#left = rate.burst;
    this.#at = monotonic();
  }

  /** `true`: there is something left. Takes nothing. */
  get isLeft(): boolean {
    const now = this.#monotonic();
    const { perSecond, burst } = this.#rate;
    this.#left = Math.min(burst, this.#left + ((now - this.#at) / 1000) * perSecond);
    this.#at = now;
    return this.#left >= 1;
  }

  /** `true`: it may happen now, and is counted. */
  take(): boolean {
    if (!this.isLeft) return false;
    this.#left -= 1;
    return true;
  }
}

/** Keys that are remembered; of more the one that was used least lately is forgotten, and begins anew. */
const REMEMBERED = 2_000;

/** An {@link Allowance} for each key, such as an address. */
export class Allowances {
  readonly #monotonic: () => number;
  readonly #rate: Rate;
  readonly #remembered: number;
  readonly #of = new Map<string, Allowance>();

  constructor(monotonic: () => number, rate: Rate, remembered = REMEMBERED) {
    this.#monotonic = monotonic;
    this.#rate = rate;
    this.#remembered = remembered;
  }

  /** Whether there is something left for `key`. Takes nothing. */
  isLeft(key: string): boolean {
    return this.#of.get(key)?.isLeft ?? true;
  }

  /** `true`: it may happen now, and is counted. */
  take(key: string): boolean {
    const allowance = this.#of.get(key) ?? new Allowance(this.#monotonic, this.#rate);
    putNewest(this.#of, key, allowance, this.#remembered);
    return allowance.take();
  }
}

/**
 * How often something may happen.
 * @module
 */

/** Lets something happen at most so often: `burst` at once, then `perSecond`. */
export class Allowance {
  readonly #monotonic: () => number;
  readonly #perSecond: number;
  readonly #burst: number;
  #left: number;
  #at: number;

  constructor(monotonic: () => number, perSecond: number, burst: number) {
    this.#monotonic = monotonic;
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#left = burst;
    this.#at = monotonic();
  }

  /** `true`: it may happen now, and is counted. */
  take(): boolean {
    const now = this.#monotonic();
    this.#left = Math.min(this.#burst, this.#left + ((now - this.#at) / 1000) * this.#perSecond);
    this.#at = now;
    if (this.#left < 1) return false;
    this.#left -= 1;
    return true;
  }
}

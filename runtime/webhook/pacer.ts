/**
 * Tells those who cannot be served now when to come back: each at a time of its own, so that they return as fast as the
 * CA serves them and no faster, however many they are.
 * @module
 */

/**
 * Certificates a second that one replica hands on to its CA; measured: step-ca signs some 1,000 a second on two cores,
 * which it shares with other replicas, their TokenReviews and pod reads.
 */
export const CERTIFICATES_PER_SECOND = 50;

/** Longest time that anybody is sent away for, milliseconds. */
const LONGEST_MS = 300_000;

/** See the module's header. */
export class Pacer {
  readonly #monotonic: () => number;
  readonly #random: () => number;
  readonly #perSecond: number;
  #next = 0;

  /** `monotonic`: milliseconds; `random`: in [0, 1). */
  constructor(monotonic: () => number, random: () => number = Math.random, perSecond = CERTIFICATES_PER_SECOND) {
    this.#monotonic = monotonic;
    this.#random = random;
    this.#perSecond = perSecond;
  }

  /**
   * Milliseconds until the caller is to come back: at least `leastMs`, up to half as much again by chance; with many
   * callers as late as their turn comes, and at most five minutes.
   */
  comeBackAfter(leastMs: number): number {
    const now = this.#monotonic();
    const earliest = now + leastMs * (1 + this.#random() / 2);
    const next = Math.max(this.#next, now) + 1000 / this.#perSecond;
    // Those sent away for the longest time are not owed more of it: else a long outage would outlive its end.
    this.#next = Math.min(next, now + LONGEST_MS);
    const wait = Math.max(earliest, this.#next) - now;
    return wait < LONGEST_MS ? wait : LONGEST_MS * (1 - this.#random() / 2);
  }
}

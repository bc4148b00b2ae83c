/**
 * Remembers which one-time tokens were used, for as long as they would be accepted; until the CA ends.
 * @module
 */

/** A token is accepted for so long after its end, since clocks differ; twice that is certainly enough. */
const TOLERANCE_MS = 2 * 60_000;

/** Ids of used tokens. */
export class UsedTokens {
  readonly #ends = new Map<string, number>();

  /** Notes that the token is used; `false`: it was before. */
  add(id: string, expiresAt: Date, now: Date): boolean {
    for (const [used, end] of this.#ends) if (end <= now.getTime()) this.#ends.delete(used);
    if (this.#ends.has(id)) return false;
    this.#ends.set(id, expiresAt.getTime() + TOLERANCE_MS);
    return true;
  }
}

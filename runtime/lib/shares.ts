/**
 * A bounded good that many share: places, bytes. Nobody gets all of it: whoever holds some may take more only while no
 * less is left than it holds then. So one that takes whatever it can get ends with half, and the others share the rest.
 * @module
 */

/** What somebody holds. */
export interface Share {
  /** Takes more for the same holders. `false`: there is no room. */
  more(amount: number): boolean;
  /** Gives all of it back; once is enough. */
  release(): void;
}

/** See the module's header. */
export class Shares {
  readonly #capacity: number;
  readonly #held = new Map<string, number>();
  #total = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** How much is taken. */
  get taken(): number {
    return this.#total;
  }

  /** Takes `amount` in the name of each of `holders`, such as an address and a namespace. `undefined`: there is no room. */
  take(holders: readonly string[], amount = 1): Share | undefined {
    let mine = 0;
    const more = (amount: number): boolean => {
      const left = this.#capacity - this.#total;
      if (holders.some((holder) => this.#of(holder) + amount > left)) return false;
      this.#add(holders, amount);
      mine += amount;
      return true;
    };
    const release = () => {
      this.#add(holders, -mine);
      mine = 0;
    };
    return more(amount) ? { more, release } : undefined;
  }

  #of(holder: string): number {
    return this.#held.get(holder) ?? 0;
  }

  #add(holders: readonly string[], amount: number): void {
    this.#total += amount;
    for (const holder of holders) {
      const held = this.#of(holder) + amount;
      if (held > 0) this.#held.set(holder, held);
      else this.#held.delete(holder);
    }
  }
}

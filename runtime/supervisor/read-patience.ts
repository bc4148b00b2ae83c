/**
 * Tells an error of reading that passes, as while a network disk is away, from a bad place on the disk.
 * @module
 */
import { UnreadableError } from '../bbolt/disk.ts';
import { messageOf } from '../lib/errors.ts';

/** The same place has to be unreadable for so long, milliseconds, and in so many attempts, to count as damaged. */
const PATIENCE = { ms: 300_000, attempts: 5 } as const;

/** What is known of the error that came last. */
export class ReadPatience {
  readonly #monotonic: () => number;
  #last: { readonly reason: string; readonly since: number; attempts: number } | undefined;

  /** @param monotonic milliseconds */
  constructor(monotonic: () => number) {
    this.#monotonic = monotonic;
  }

  /** Has the error thrown on, to be tried again later; once it has stayed long enough, what is unreadable is damage. */
  async read<T>(action: (unreadableIsDamage: boolean) => Promise<T>): Promise<T> {
    try {
      return await action(false);
    } catch (error) {
      if (!(error instanceof UnreadableError) || !this.#isOver(messageOf(error))) throw error;
      return action(true);
    }
  }

  #isOver(reason: string): boolean {
    const now = this.#monotonic();
    if (this.#last?.reason !== reason) this.#last = { reason, since: now, attempts: 0 };
    this.#last.attempts += 1;
    return this.#last.attempts >= PATIENCE.attempts && now - this.#last.since >= PATIENCE.ms;
  }

  /** All could be read that had to be. */
  reset(): void {
    this.#last = undefined;
  }
}

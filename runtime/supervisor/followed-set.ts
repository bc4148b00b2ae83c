/**
 * The newest set of files that fits together. What is mounted changes piece by piece, each at a time of its own, and does
 * not fit meanwhile: the last set that did stays.
 * @module
 */
import { messageOf } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { type CaSet, composeSet } from './ca-set.ts';
import { type CaInputs, digestOf } from './inputs.ts';

/** Follows inputs. */
export class FollowedSet {
  readonly #read: () => CaInputs;
  readonly #log: Log;
  #digest = '';
  #current: CaSet | undefined;
  #problem: string | undefined;

  /** @param read reads what is mounted now; may throw */
  constructor(read: () => CaInputs, log: Log) {
    this.#read = read;
    this.#log = log;
  }

  /** The newest set that fitted; `undefined`: none has yet. */
  get current(): CaSet | undefined {
    return this.#current;
  }

  /** What is wrong with what is mounted now. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Looks at what is mounted. What does not fit is said once. */
  look(): void {
    let digest = '';
    try {
      const inputs = this.#read();
      digest = digestOf(inputs);
      // Opening the key takes a while: once for the same contents.
      if (digest === this.#digest) return;
      this.#current = composeSet(inputs);
      this.#problem = undefined;
    } catch (error) {
      const problem = messageOf(error);
      if (problem !== this.#problem) this.#log.warn({ problem }, 'what is mounted does not fit together yet');
      this.#problem = problem;
    }
    this.#digest = digest;
  }
}

/**
 * A value that does not print: not by `console.log`, string concatenation, `JSON.stringify` or a logger.
 * @module
 */
import { inspect } from 'node:util';

const REDACTED = '[redacted]';

/** Holds a token, key or password. Whoever needs the value says so with {@link Secret.reveal}. */
export class Secret<T = string> {
  readonly #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  /** The value itself. Never pass it to a log or an error message. */
  reveal(): T {
    return this.#value;
  }

  toJSON(): string {
    return REDACTED;
  }

  toString(): string {
    return REDACTED;
  }

  [inspect.custom](): string {
    return REDACTED;
  }
}

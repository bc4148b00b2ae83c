/**
 * A file of settings that may change while a program runs, such as one of a mounted ConfigMap.
 * @module
 */
import { createHash } from 'node:crypto';
import { messageOf } from './errors.ts';
import type { Log } from './log.ts';
import { readTextFile } from './text-file.ts';

/** How often a program looks at its files, milliseconds: kubelet takes a minute or so to bring a change anyway. */
export const FOLLOW_FILES_MS = 10_000;

/**
 * The last good content of a file. Contents are compared, not times: kubelet replaces a volume's files by swapping a
 * link.
 */
export class FollowedFile<T> {
  readonly #file: string;
  readonly #read: (file: string) => T;
  readonly #log: Log;
  #current: T;
  #digest: string;
  /** What is wrong with the file now, so that it is said once. */
  #fault: string | undefined;

  /**
   * @param read reads and checks the file
   * @throws what `read` throws: there is no earlier content to go on with
   */
  constructor(file: string, read: (file: string) => T, log: Log) {
    this.#file = file;
    this.#read = read;
    this.#log = log;
    // The digest first: if the file changes in between, the next look reads it again.
    this.#digest = digestOf(file);
    this.#current = read(file);
  }

  /** The last good content. */
  get current(): T {
    return this.#current;
  }

  /** Looks at the file. `true`: it has another good content. A bad one is logged, and the last good one stays. */
  refresh(): boolean {
    let digest = '';
    try {
      digest = digestOf(this.#file);
      if (digest === this.#digest) {
        this.#fault = undefined;
        return false;
      }
      this.#current = this.#read(this.#file);
    } catch (error) {
      const reason = messageOf(error);
      const fault = `${digest} ${reason}`;
      if (fault !== this.#fault) {
        this.#log.error({ file: this.#file, reason }, 'configuration not taken over: the last good one stays in use');
      }
      this.#fault = fault;
      return false;
    }
    this.#digest = digest;
    this.#fault = undefined;
    this.#log.info({ file: this.#file }, 'configuration taken over');
    return true;
  }
}

function digestOf(file: string): string {
  return createHash('sha256').update(readTextFile(file)).digest('base64');
}

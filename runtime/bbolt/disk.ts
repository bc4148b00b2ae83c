/**
 * Files on the disk as sources and sinks of bytes.
 * @module
 */
import { closeSync, fsyncSync, openSync, readSync, rmSync, statSync, writeSync } from 'node:fs';
import { AutocertError, messageOf } from '../lib/errors.ts';
import { Damage } from './damage.ts';
import type { ByteSource } from './page-file.ts';
import type { ByteSink } from './tree-writer.ts';

/** Pages between two turns of the event loop: a millisecond, some tens on a slow disk. */
const PAGES_A_TURN = 16;

/** Gives the event loop a turn now and then. Throws the signal's reason once it aborts. */
export function breathing(signal: AbortSignal | undefined): () => Promise<void> {
  let pages = 0;
  return async () => {
    if (++pages % PAGES_A_TURN === 0) await new Promise((resolve) => setImmediate(resolve));
    signal?.throwIfAborted();
  };
}

/** The system could not read a part of a file. That may pass: nothing is known of the file. */
export class UnreadableError extends AutocertError {}

/**
 * Opens a file, has it used, closes it.
 * @param unreadableIsDamage what the system cannot read counts as damaged, instead of being an {@link UnreadableError}
 */
export async function reading<T>(
  path: string,
  unreadableIsDamage: boolean,
  use: (source: ByteSource) => Promise<T>,
): Promise<T> {
  const { fd, bytes } = open(path);
  try {
    return await use({
      bytes,
      read(offset, target) {
        let done = 0;
        try {
          for (let got = -1; got !== 0 && done < target.length; done += got)
            got = readSync(fd, target, done, target.length - done, offset + done);
        } catch (cause) {
          if (unreadableIsDamage) throw new Damage(messageOf(cause));
          throw new UnreadableError('UNAVAILABLE', `cannot read the database ${path} at byte ${offset}`, { cause });
        }
        return done;
      },
    });
  } finally {
    closeSync(fd);
  }
}

function open(path: string): { readonly fd: number; readonly bytes: number } {
  return attempt(`cannot open the database ${path}`, () => {
    const status = statSync(path);
    if (!status.isFile()) throw new Error('it is no regular file');
    return { fd: openSync(path, 'r'), bytes: status.size };
  });
}

/** The error says what failed and has the system's as its cause. */
function attempt<T>(failure: string, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    throw new AutocertError('UNAVAILABLE', failure, { cause });
  }
}

/** Makes a file anew, has it written, syncs it. Whatever goes wrong, no file is left. */
export async function writing<T>(path: string, use: (sink: ByteSink) => Promise<T>): Promise<T> {
  const failure = `cannot write the database ${path}`;
  const fd = attempt(failure, () => {
    rmSync(path, { force: true });
    return openSync(path, 'wx', 0o600);
  });
  let isWhole = false;
  try {
    const result = await use({
      write(offset, bytes) {
        attempt(failure, () => {
          for (let done = 0; done < bytes.length; )
            done += writeSync(fd, bytes, done, bytes.length - done, offset + done);
        });
      },
    });
    attempt(failure, () => fsyncSync(fd));
    isWhole = true;
    return result;
  } finally {
    closeSync(fd);
    if (!isWhole) rmSync(path, { force: true });
  }
}

/** Whether both names lead to one file. */
export function isSameFile(source: string, target: string): boolean {
  const [a, b] = [source, target].map((path) => statSync(path, { bigint: true, throwIfNoEntry: false }));
  return a !== undefined && b !== undefined && a.dev === b.dev && a.ino === b.ino;
}

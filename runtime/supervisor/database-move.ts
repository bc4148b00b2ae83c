/**
 * Puts another file in the database's place where the volume has no room for both: the new one waits complete on another
 * volume while the old one goes.
 *
 * It may be killed at any point. The old file is renamed first, and its space is given free then: an empty file of that
 * name stays beside the database until the new one is in its place, so that a database that went with its pod is missed.
 * @module
 */
import { copyFile, open, rename, rm, truncate } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { AutocertError, messageOf } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { hasSameBytes, sizeOf, syncFolder } from './volume.ts';

/** What a {@link DatabaseMove} works with. */
export interface DatabaseMovePorts {
  readonly file: string;
  /** Folder on another volume. */
  readonly scratch: string;
  /** Throws when step-ca runs: asked just before a file takes the place of another. */
  readonly assertStopped: () => void;
  /** Whether step-ca must not be started, not even when nothing is heard of the supervisor. */
  readonly hold: (isHeld: boolean) => void;
  /** Keeps the database's file under another name. */
  readonly setAside: () => Promise<void>;
  readonly log: Log;
}

/** Moves of one database. */
export class DatabaseMove {
  readonly #ports: DatabaseMovePorts;
  readonly #copy: string;
  readonly #mark: string;

  constructor(ports: DatabaseMovePorts) {
    this.#ports = ports;
    this.#copy = join(ports.scratch, `${basename(ports.file)}.complete`);
    this.#mark = `${ports.file}.moving`;
  }

  /** Where the new file is to be written. */
  get part(): string {
    return `${this.#copy}.part`;
  }

  /** The file at {@link part}, which is on the disk, takes the place of the database; `source` goes. */
  async run(source: string): Promise<void> {
    const { scratch, file, assertStopped, hold } = this.#ports;
    await rename(this.part, this.#copy);
    await syncFolder(scratch);
    assertStopped();
    hold(true);
    await rename(source, this.#mark);
    await syncFolder(dirname(file));
    await this.finish();
  }

  /** Ends a move in whatever state it was left. Tells whether a database was lost by it, or had to be set aside. */
  async finish(): Promise<boolean> {
    const { file, log, hold, setAside, assertStopped } = this.#ports;
    const [marked, hasCopy] = [await sizeOf(this.#mark), (await sizeOf(this.#copy)) !== undefined];
    let isOccupied = ((await sizeOf(file)) ?? 0) > 0;
    let isLost = false;
    if (isOccupied && (hasCopy ? marked !== undefined && !(await hasSameBytes(file, this.#copy)) : (marked ?? 0) > 0)) {
      log.error({ file }, 'step-ca began a new database while the old one was being moved: the new one is set aside');
      assertStopped();
      await setAside();
      [isOccupied, isLost] = [false, true];
    }
    if (hasCopy && !isOccupied) await this.#putBack(marked);
    else if (!isOccupied && marked !== undefined && marked > 0) {
      assertStopped();
      await rename(this.#mark, file);
      await syncFolder(dirname(file));
    } else if (!isOccupied && marked !== undefined) {
      log.error({ file }, 'the pod ended while the database was being moved, and it is lost: step-ca begins a new one');
      isLost = true;
    }
    await rm(this.#copy, { force: true });
    await rm(this.#mark, { force: true });
    hold(false);
    return isLost;
  }

  /** @param marked size of the old file; `undefined`: it is gone */
  async #putBack(marked: number | undefined): Promise<void> {
    const { file, assertStopped } = this.#ports;
    const beside = `${file}.new`;
    if (marked !== undefined) await truncate(this.#mark, 0);
    try {
      await copyFile(this.#copy, beside);
      await using handle = await open(beside, 'r+');
      await handle.sync();
    } catch (error) {
      await rm(beside, { force: true });
      throw new AutocertError('UNAVAILABLE', `the volume has no room for the database: ${messageOf(error)}`);
    }
    assertStopped();
    await rename(beside, file);
    await syncFolder(dirname(file));
  }
}

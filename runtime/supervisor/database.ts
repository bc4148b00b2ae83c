/**
 * Looks after the database's file while step-ca is stopped: checks it, sets a damaged one aside and saves what can be read
 * of it, and rewrites a large one without what is not needed any more.
 *
 * It may be killed at any point. The file is replaced by renaming; where the volume is full, by a {@link DatabaseMove}.
 * @module
 */
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { CheckedFile, RewrittenFile } from '../bbolt/file.ts';
import type { Keep } from '../bbolt/needed.ts';
import { AutocertError, messageOf } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { DatabaseMove } from './database-move.ts';
import { ReadPatience } from './read-patience.ts';
import { isOutOfSpace, sizeOf, syncFolder } from './volume.ts';

/** Reads and writes bbolt's files; `bbolt/file.ts` is one. */
export interface DatabaseEngine {
  checkFile(path: string, options: ReadOptions): Promise<CheckedFile>;
  rewriteFile(
    source: string,
    target: string,
    keep: Keep,
    options: ReadOptions & { readonly lenient?: boolean },
  ): Promise<RewrittenFile>;
}

interface ReadOptions {
  readonly signal: AbortSignal;
  readonly unreadableIsDamage: boolean;
}

/** What a {@link Database} works with. */
export interface DatabasePorts {
  readonly file: string;
  /** Folder on another volume. */
  readonly scratch: string;
  readonly engine: DatabaseEngine;
  /** What is needed now. */
  readonly keep: () => Keep;
  /** Whether step-ca is still stopped: asked just before a file takes the place of another. */
  readonly isStopped: () => boolean;
  /** Whether step-ca must not be started, not even when nothing is heard of the supervisor. */
  readonly hold: (isHeld: boolean) => void;
  /** Milliseconds. */
  readonly monotonic: () => number;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** What {@link Database.tend} found and did. */
export interface Tended {
  /** Entries by table, as they were before a rewrite; `undefined`: there is no file yet. */
  readonly tables?: CheckedFile['tables'];
  /** A file was set aside, for damage mostly, or was lost with its pod. */
  readonly setAside: boolean;
  /** Size of the file that was written; `undefined`: none was. */
  readonly rewritten?: number;
}

/** Damaged files that are kept, for people: the newest, and the one before. */
const DAMAGED = ['.damaged', '.damaged-2'] as const;

/** Files of Badger, the database of earlier versions. Its folder is the same. */
const BADGER = /^(MANIFEST|KEYREGISTRY|DISCARD|LOCK|.*\.(vlog|sst|mem))$/;

/** The database of this pod. */
export class Database {
  readonly file: string;
  readonly folder: string;
  readonly #ports: DatabasePorts;
  readonly #damaged: string;
  readonly #damagedBefore: string;
  readonly #move: DatabaseMove;
  readonly #patience: ReadPatience;
  /** Not told yet. */
  #isLost = false;

  constructor(ports: DatabasePorts) {
    this.#ports = ports;
    this.file = ports.file;
    this.folder = dirname(ports.file);
    [this.#damaged, this.#damagedBefore] = [ports.file + DAMAGED[0], ports.file + DAMAGED[1]];
    this.#patience = new ReadPatience(ports.monotonic);
    this.#move = new DatabaseMove({
      ...ports,
      assertStopped: () => this.#assertStopped(),
      setAside: () => this.#setAside(this.file),
    });
  }

  /** Size of the file; 0 when there is none. @throws AutocertError `UNAVAILABLE` when the volume does not tell */
  async size(): Promise<number> {
    return (await sizeOf(this.file)) ?? 0;
  }

  /**
   * To be called while step-ca is stopped.
   * @param isDue whether a sound file of this size is to be rewritten
   * @param isNearlyFull whether the volume is: only then is a sound file rewritten on another one
   * @throws AutocertError `UNAVAILABLE` when the volume cannot be read, or has no room for what is needed
   */
  async tend(isDue: (size: number) => boolean, isNearlyFull: boolean): Promise<Tended> {
    if (await this.#move.finish()) this.#isLost = true;
    const found = await this.#tend(isDue, isNearlyFull);
    this.#patience.reset();
    const setAside = found.setAside || this.#isLost;
    this.#isLost = false;
    return { ...found, setAside };
  }

  async #tend(isDue: (size: number) => boolean, isNearlyFull: boolean): Promise<Tended> {
    const { log } = this.#ports;
    // Stopped between two renames: the damaged file was set aside, and what was saved of it is not in its place.
    if (!(await exists(this.file)) && (await exists(this.#damaged))) return this.#salvage(this.#damaged);
    if ((await this.size()) === 0) return { setAside: false };
    const { problem, tables, bytes } = await this.#check();
    if (problem !== undefined) {
      log.error({ file: this.file, problem }, 'the database is damaged: what can be read of it is saved');
      return { tables, ...(await this.#salvage(this.file)) };
    }
    if (!isDue(bytes)) return { tables, setAside: false };
    return { tables, setAside: false, ...(await this.#prune(bytes, isNearlyFull)) };
  }

  /**
   * Removes what can be spared: damaged databases, and Badger's files. Gives the names of what is gone.
   * @param needed a file that stays
   */
  async makeRoom(needed?: string): Promise<readonly string[]> {
    const names = await readdir(this.folder).catch(() => []);
    const damaged = [this.#damaged, this.#damagedBefore]
      .filter((file) => file !== needed)
      .map((file) => basename(file));
    const spared = names.filter((name) => damaged.includes(name) || BADGER.test(name));
    for (const name of spared) await rm(join(this.folder, name), { force: true });
    if (spared.length > 0) this.#ports.log.warn({ files: spared }, 'removed, for the volume is nearly full');
    return spared;
  }

  /** A fault of the check itself must not keep step-ca from starting: such a file counts as sound. */
  async #check(): Promise<CheckedFile> {
    const { engine, log, signal } = this.#ports;
    try {
      return await this.#patience.read((unreadableIsDamage) =>
        engine.checkFile(this.file, { signal, unreadableIsDamage }),
      );
    } catch (error) {
      if (signal.aborted || error instanceof AutocertError) throw error;
      log.error({ reason: messageOf(error) }, 'the database cannot be checked: step-ca starts all the same');
      return { tables: new Map(), bytes: 0 };
    }
  }

  /** A sound file that cannot be rewritten stays as it is: step-ca can work on it. */
  async #prune(before: number, mayMove: boolean): Promise<{ readonly rewritten?: number }> {
    const { log, signal } = this.#ports;
    try {
      const { problem, kept, dropped, bytes: after } = await this.#rewrite(this.file, false, mayMove);
      if (problem !== undefined) throw new Error(problem);
      log.info({ before, after, kept, dropped }, 'the database was rewritten without what is not needed');
      return { rewritten: after };
    } catch (error) {
      if (signal.aborted || error instanceof StillRunning || !(await exists(this.file))) throw error;
      log.error({ reason: messageOf(error) }, 'the database cannot be rewritten: it stays as it is');
      return {};
    }
  }

  async #salvage(source: string): Promise<Tended> {
    const { log } = this.#ports;
    const { problem, kept, unreadablePages, damagedTables, bytes } = await this.#rewrite(source, true, true);
    if (problem !== undefined) {
      await this.#setAside(source);
      log.error({ problem }, 'nothing can be read of the database: step-ca begins a new one');
      return { setAside: true };
    }
    log.warn({ kept, unreadablePages, damagedTables }, 'the database goes on with what could be read of it');
    return { setAside: true, rewritten: bytes };
  }

  /**
   * Writes what is needed of `source` to the database's file.
   * @param mayMove whether it may be written elsewhere, and `source` go, if the volume has no room for both
   */
  async #rewrite(source: string, lenient: boolean, mayMove: boolean): Promise<RewrittenFile> {
    const { scratch, signal, log } = this.#ports;
    const besideIfRoom = async () => {
      try {
        return await this.#rewriteBeside(source, lenient);
      } catch (error) {
        if (signal.aborted || !mayMove || !isOutOfSpace(error)) throw error;
        log.warn({ reason: messageOf(error) }, 'no room for a second file beside the database');
        return undefined;
      }
    };
    let written = await besideIfRoom();
    if (written === undefined && (await this.makeRoom(source)).length > 0) written = await besideIfRoom();
    if (written !== undefined) return written;
    await mkdir(scratch, { recursive: true });
    const elsewhere = await this.#write(source, this.#move.part, lenient);
    if (elsewhere.problem === undefined) await this.#move.run(source);
    return elsewhere;
  }

  async #rewriteBeside(source: string, lenient: boolean): Promise<RewrittenFile> {
    const beside = `${this.file}.new`;
    const written = await this.#write(source, beside, lenient);
    if (written.problem !== undefined) return written;
    this.#assertStopped();
    if (lenient) await this.#setAside(source);
    await rename(beside, this.file);
    await syncFolder(this.folder);
    return written;
  }

  #write(source: string, target: string, lenient: boolean): Promise<RewrittenFile> {
    const { engine, keep, signal } = this.#ports;
    return this.#patience.read((unreadableIsDamage) =>
      engine.rewriteFile(source, target, keep(), { signal, lenient, unreadableIsDamage }),
    );
  }

  /** The one that was set aside before stays, under its second name. */
  async #setAside(source: string): Promise<void> {
    this.#assertStopped();
    if (source === this.#damaged) return;
    if (await exists(this.#damaged)) await rename(this.#damaged, this.#damagedBefore);
    await rename(source, this.#damaged);
  }

  #assertStopped(): void {
    if (!this.#ports.isStopped())
      throw new StillRunning('UNAVAILABLE', 'step-ca has started: its database is left alone');
  }
}

class StillRunning extends AutocertError {}

async function exists(path: string): Promise<boolean> {
  return (await sizeOf(path)) !== undefined;
}

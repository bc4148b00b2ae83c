/**
 * What must not be forgotten: used tokens and revoked serial numbers, in a file to which lines are only appended. An
 * entry is on the disk before its request is answered, so that it holds also after a crash.
 * @module
 */
import {
  closeSync,
  fdatasyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';

/** Until when an entry matters, milliseconds since 1970; `null`: for ever. */
type Until = number | null;

/** Rewriting the file is worth it when so many lines of it are of no use any more. */
const MAX_STALE_LINES = 1_000;

/** A set of texts that survives restarts. */
export class Ledger {
  readonly #file: string;
  readonly #entries: Map<string, Until>;
  #descriptor: number;
  #lines: number;

  private constructor(file: string, entries: Map<string, Until>) {
    this.#file = file;
    this.#entries = entries;
    this.#lines = entries.size;
    this.#descriptor = rewrite(file, entries);
  }

  /** Opens the file, or begins it; entries whose time is over at `now` are dropped. */
  static open(file: string, now: Date): Ledger {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    const entries = new Map<string, Until>();
    for (const line of read(file).split('\n')) {
      const entry = parse(line);
      if (entry) entries.set(entry.id, entry.until);
    }
    dropExpired(entries, now);
    return new Ledger(file, entries);
  }

  /** Notes `id` until a time, or for ever. `false`: it is there already. */
  add(id: string, now: Date, until?: Date): boolean {
    if (this.has(id, now)) return false;
    const end = until ? until.getTime() : null;
    this.#entries.set(id, end);
    writeSync(this.#descriptor, lineOf(id, end));
    fdatasyncSync(this.#descriptor);
    this.#lines += 1;
    if (this.#lines - this.#entries.size >= MAX_STALE_LINES || this.#lines % MAX_STALE_LINES === 0) this.#compact(now);
    return true;
  }

  /** Whether `id` was noted and its time is not over. */
  has(id: string, now: Date): boolean {
    const until = this.#entries.get(id);
    return until !== undefined && (until === null || until > now.getTime());
  }

  /** Closes the file. */
  close(): void {
    closeSync(this.#descriptor);
  }

  #compact(now: Date): void {
    dropExpired(this.#entries, now);
    closeSync(this.#descriptor);
    this.#descriptor = rewrite(this.#file, this.#entries);
    this.#lines = this.#entries.size;
  }
}

const lineOf = (id: string, until: Until) => `${JSON.stringify({ id, until })}\n`;

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}

/** A line that a crash cut off was never acted upon: it is skipped. */
function parse(line: string): { id: string; until: Until } | undefined {
  try {
    const { id, until } = JSON.parse(line);
    return typeof id === 'string' && (until === null || typeof until === 'number') ? { id, until } : undefined;
  } catch {
    return undefined;
  }
}

function dropExpired(entries: Map<string, Until>, now: Date): void {
  for (const [id, until] of entries) if (until !== null && until <= now.getTime()) entries.delete(id);
}

/** Replaces the file at once and opens it for appending. */
function rewrite(file: string, entries: ReadonlyMap<string, Until>): number {
  const lines = [...entries].map(([id, until]) => lineOf(id, until));
  writeFileSync(`${file}.new`, lines.join(''), { mode: 0o600, flush: true });
  renameSync(`${file}.new`, file);
  return openSync(file, 'a', 0o600);
}

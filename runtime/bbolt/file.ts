/**
 * Checks the file of a bbolt database, and rewrites it without what is not needed any more. The program that writes
 * the database must not run meanwhile: nothing here takes its lock.
 * @module
 */
import { AutocertError } from '../lib/errors.ts';
import { Damage, DamageReport, fail, problemOf } from './damage.ts';
import { breathing, isSameFile, reading, writing } from './disk.ts';
import type { Meta } from './format.ts';
import type { Keep } from './needed.ts';
import { type ByteSource, readMetas } from './page-file.ts';
import { TreeReader, type Visitor, type WalkOptions } from './tree-reader.ts';
import { TreeWriter } from './tree-writer.ts';

/** step-ca has some thirty. */
const MAX_TABLES = 1000;
/** Of a database that is made of an empty file. */
const DEFAULT_PAGE_BYTES = 4096;
const NO_META = 'neither of its meta pages is valid: it is no bbolt database, or its beginning is lost';

/** How much a table (a bucket) holds. */
export interface TableSize {
  /** Keys, nested buckets not counted. */
  readonly entries: number;
  /** Of all keys and values. */
  readonly bytes: number;
}

/** What {@link checkFile} found. */
export interface CheckedFile {
  /** Why the file is damaged: the page and what is wrong with it. Left out when it is sound. */
  readonly problem?: string;
  /**
   * By name; of nested buckets the names joined with `/`; the first thousand. Of a damaged file: what was read up to
   * the damage.
   */
  readonly tables: ReadonlyMap<string, TableSize>;
  /** Size of the file. */
  readonly bytes: number;
}

/** What {@link rewriteFile} did. */
export interface RewrittenFile {
  /** Why the source cannot be rewritten: it is damaged. Then there is no target. Left out when there is one. */
  readonly problem?: string;
  /** Entries written. */
  readonly kept: number;
  /** Entries that `keep` did not want. */
  readonly dropped: number;
  /** Pages of which something could not be read; not 0 only if `lenient`. */
  readonly unreadablePages: number;
  /** Tables that lost something to unreadable pages; `''` if whole tables may have been lost. Empty unless `lenient`. */
  readonly damagedTables: readonly string[];
  /** Size of the target; 0 if there is none. */
  readonly bytes: number;
}

/** For {@link checkFile} and {@link rewriteFile}. */
export interface FileOptions {
  /** Ends the work early, with the signal's reason thrown and no target left behind. */
  readonly signal?: AbortSignal;
  /** What the system cannot read counts as damaged: for a disk that has kept failing at the same place. @default false */
  readonly unreadableIsDamage?: boolean;
}

/**
 * Reads every page that is in use and tells whether the file is sound. An empty file is: bbolt makes a database of it.
 * A sound file may have pages that are neither in use nor free; they are lost space and go away with a rewrite.
 * The event loop goes on meanwhile.
 * @throws AutocertError `UNAVAILABLE` if the file cannot be opened; an `UnreadableError` if a part of it cannot be read
 */
export async function checkFile(
  path: string,
  { signal, unreadableIsDamage = false }: FileOptions = {},
): Promise<CheckedFile> {
  return reading(path, unreadableIsDamage, async (source) => {
    const tables = new Map<string, { entries: number; bytes: number }>();
    const problem = await problemOf(async () => {
      const [meta] = readMetas(source);
      if (!meta && source.bytes > 0) throw new Damage(NO_META);
      if (!meta) return;
      const reader = new TreeReader(source, meta, countInto(tables), { onDamage: fail, breathe: breathing(signal) });
      await reader.walk();
      reader.checkFreelist();
    });
    return { ...(problem === undefined ? {} : { problem }), tables, bytes: source.bytes };
  });
}

function countInto(tables: Map<string, { entries: number; bytes: number }>): Visitor {
  return {
    enterBucket(table) {
      if (tables.size < MAX_TABLES) tables.set(table, { entries: 0, bytes: 0 });
    },
    leaveBucket() {},
    entry(table, key, value) {
      const size = tables.get(table);
      if (!size) return;
      size.entries++;
      size.bytes += key.length + value.length;
    },
  };
}

/**
 * Writes a new database file with the entries that `keep` wants; all buckets and their sequence numbers stay. It is on
 * the disk (fsync) when this returns; the caller renames it over the source, and syncs the folder if that matters.
 * An existing target is replaced. The source is only read.
 * @param lenient reads what can be read of a damaged file, instead of answering a `problem`: skips damaged pages and
 *   counts them. A `problem` is left when neither meta page is readable.
 * @throws AutocertError `UNAVAILABLE` if the source cannot be opened or the target cannot be written, such as for want
 *   of space; an `UnreadableError` if a part of the source cannot be read; then no target is left behind
 */
export async function rewriteFile(
  source: string,
  target: string,
  keep: Keep,
  { lenient = false, signal, unreadableIsDamage = false }: FileOptions & { readonly lenient?: boolean } = {},
): Promise<RewrittenFile> {
  if (isSameFile(source, target))
    throw new AutocertError('INVALID_INPUT', `${source} cannot be rewritten into itself: name another target`);
  const counts = { kept: 0, dropped: 0, unreadablePages: 0, damagedTables: [] as string[], bytes: 0 };
  const problem = await problemOf(() =>
    reading(source, unreadableIsDamage, async (bytes) => {
      const breathe = breathing(signal);
      const metas = readMetas(bytes);
      if (metas.length === 0 && bytes.bytes > 0) throw new Damage(NO_META);
      const meta = lenient ? await leastDamaged(bytes, metas, breathe) : metas[0];
      const damage = new DamageReport();
      counts.bytes = await writing(target, async (sink) => {
        const writer = new TreeWriter(sink, meta?.pageBytes ?? DEFAULT_PAGE_BYTES, meta?.sequence);
        const visitor = selecting(keep, writer, counts);
        const onDamage = lenient ? damage.add : fail;
        if (meta) await new TreeReader(bytes, meta, visitor, { onDamage, breathe }).walk();
        return writer.finish();
      });
      counts.unreadablePages = damage.pages.size;
      counts.damagedTables = [...damage.tables];
    }),
  );
  return problem === undefined
    ? counts
    : { problem, kept: 0, dropped: 0, unreadablePages: 0, damagedTables: [], bytes: 0 };
}

/** Hands on what `keep` wants, and counts. */
function selecting(keep: Keep, writer: Visitor, counts: { kept: number; dropped: number }): Visitor {
  return {
    enterBucket: (...bucket) => writer.enterBucket(...bucket),
    leaveBucket: () => writer.leaveBucket(),
    entry(table, key, value) {
      if (!keep(table, key, value)) counts.dropped++;
      else {
        counts.kept++;
        writer.entry(table, key, value);
      }
    },
  };
}

/** The older state where it has less damage: its pages are all still there, since bbolt copies before it writes. */
async function leastDamaged(
  source: ByteSource,
  metas: readonly Meta[],
  breathe: WalkOptions['breathe'],
): Promise<Meta | undefined> {
  const nobody: Visitor = { enterBucket() {}, leaveBucket() {}, entry() {} };
  let [best] = metas;
  let least = Number.POSITIVE_INFINITY;
  for (const meta of metas) {
    const damage = new DamageReport();
    await new TreeReader(source, meta, nobody, { onDamage: damage.add, breathe }).walk();
    if (damage.pages.size < least) [best, least] = [meta, damage.pages.size];
    if (least === 0) break;
  }
  return best;
}

/**
 * Databases for tests: as nested objects, and as files.
 * @module
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { PAGE_TYPE } from '../../../runtime/bbolt/format.ts';
import { type ByteSource, readMetas } from '../../../runtime/bbolt/page-file.ts';
import { TreeReader, type WalkOptions } from '../../../runtime/bbolt/tree-reader.ts';
import { TreeWriter } from '../../../runtime/bbolt/tree-writer.ts';

/** Entries and further buckets by key. */
export interface Bucket {
  readonly sequence: bigint;
  readonly content: ReadonlyMap<string, Buffer | Bucket>;
}

/** Entries by table, of step-ca's kind: no bucket in another. */
export type Tables = Readonly<Record<string, Readonly<Record<string, string | Buffer>>>>;

export const bucket = (content: Readonly<Record<string, Buffer | string | Bucket>>, sequence = 0n): Bucket => ({
  sequence,
  content: new Map(
    Object.entries(content).map(([key, value]) => [key, typeof value === 'string' ? Buffer.from(value) : value]),
  ),
});

/** The bytes of a file. */
export function fileOf(root: Bucket, pageBytes = 4096): Buffer {
  const parts: { readonly offset: number; readonly bytes: Buffer }[] = [];
  const writer = new TreeWriter(
    { write: (offset, bytes) => parts.push({ offset, bytes: Buffer.from(bytes) }) },
    pageBytes,
    root.sequence,
  );
  const write = ({ content }: Bucket, table: string) => {
    const sorted = [...content].map(([key, value]) => ({ key: Buffer.from(key), value }));
    for (const { key, value } of sorted.sort((a, b) => a.key.compare(b.key))) {
      if (Buffer.isBuffer(value)) writer.entry(table, key, value);
      else {
        writer.enterBucket(`${key}`, key, value.sequence);
        write(value, `${key}`);
        writer.leaveBucket();
      }
    }
  };
  write(root, '');
  const file = Buffer.alloc(writer.finish(), 0xee);
  for (const { offset, bytes } of parts) bytes.copy(file, offset);
  return file;
}

export const fileOfTables = (tables: Tables, pageBytes?: number): Buffer =>
  fileOf(
    bucket(Object.fromEntries(Object.entries(tables).map(([name, entries]) => [name, bucket(entries)]))),
    pageBytes,
  );

/** Bytes in memory; reads beyond the end are an error of the reader. */
export function memory(file: Buffer): ByteSource & { readonly reads: number[] } {
  const reads: number[] = [];
  return {
    reads,
    bytes: file.length,
    read(offset, target) {
      if (!Number.isSafeInteger(offset) || offset < 0) throw new Error(`read at ${offset}`);
      reads.push(target.length);
      return file.copy(target, 0, Math.min(offset, file.length));
    },
  };
}

const asIs: WalkOptions = {
  onDamage: (page, table, reason) => {
    throw new Error(`page ${page} (${table}): ${reason}`);
  },
  breathe: async () => {},
};

/** What is in a file, by its newest meta page; throws at the first damage. */
export async function contentOf(source: ByteSource, options = asIs): Promise<Bucket> {
  const [meta] = readMetas(source);
  if (!meta) throw new Error('no meta page');
  const root = { sequence: meta.sequence, content: new Map<string, Buffer | Bucket>() };
  const open = [root];
  const reader = new TreeReader(
    source,
    meta,
    {
      enterBucket(_table, name, sequence) {
        const inner = { sequence, content: new Map<string, Buffer | Bucket>() };
        open.at(-1)?.content.set(name.toString(), inner);
        open.push(inner);
      },
      leaveBucket: () => open.pop(),
      entry: (_table, key, value) => open.at(-1)?.content.set(key.toString(), Buffer.from(value)),
    },
    options,
  );
  await reader.walk();
  reader.checkFreelist();
  return root;
}

/** The tables of a file, in the order in which they are in it. */
export async function tablesOf(path: string): Promise<Record<string, Record<string, string>>> {
  const { content } = await contentOf(memory(readFileSync(path)));
  return Object.fromEntries(
    [...content].map(([name, table]) => [
      name,
      Buffer.isBuffer(table)
        ? {}
        : Object.fromEntries([...table.content].map(([key, value]) => [key, value.toString()])),
    ]),
  );
}

/** Numbers of pages of a type whose text has a word in it. */
export function pagesWith(file: Buffer, word: string, type: number = PAGE_TYPE.leaf, pageBytes = 4096): number[] {
  const pages = Array.from({ length: file.length / pageBytes }, (_, page) => page);
  return pages.filter((page) => {
    const bytes = file.subarray(page * pageBytes, (page + 1) * pageBytes);
    return page >= 2 && bytes.readUInt16LE(8) === type && bytes.includes(word);
  });
}

/** Writes bytes over those of a page, in a file on the disk. */
export function overwritePage(path: string, page: number, bytes: Buffer, pageBytes = 4096): void {
  const file = readFileSync(path);
  bytes.copy(file, page * pageBytes);
  writeFileSync(path, file);
}

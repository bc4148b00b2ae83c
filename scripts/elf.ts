/**
 * What a 64-bit little-endian ELF file asks of the loader (System V ABI, chapters 4 and 5).
 * @module
 */
import { readFileSync } from 'node:fs';

/** What has to be there for a program or a library to be loaded. */
export interface ElfFile {
  /** Number of the processor's architecture. */
  readonly machine: number;
  /** Path of the loader. Absent: a static program, or a library. */
  readonly interpreter?: string;
  /** Names of the libraries that it is linked with. */
  readonly needed: readonly string[];
}

const MAGIC = Buffer.from('\x7fELF\x02\x01', 'latin1');
/** Kinds of program headers. */
const Segment = { load: 1, dynamic: 2, interpreter: 3 } as const;
/** Tags of the dynamic section. */
const Tag = { end: 0, needed: 1, stringTable: 5 } as const;

/** Whether these bytes begin as such a file does. */
export function isElf(bytes: Uint8Array): boolean {
  return bytes.length > 64 && MAGIC.equals(bytes.subarray(0, MAGIC.length));
}

/** Reads one; the bytes are such a file, see {@link isElf}. */
export function readElf(content: Uint8Array): ElfFile {
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.length);
  const word = (offset: number) => Number(bytes.readBigUInt64LE(offset));
  const text = (offset: number) => bytes.toString('latin1', offset, bytes.indexOf(0, offset));
  const [table, size, count] = [word(32), bytes.readUInt16LE(54), bytes.readUInt16LE(56)];
  const segments = Array.from({ length: count }, (_, index) => {
    const header = table + index * size;
    const [offset, address, length] = [word(header + 8), word(header + 16), word(header + 32)];
    return { kind: bytes.readUInt32LE(header), offset, address, length };
  });
  const loader = segments.find(({ kind }) => kind === Segment.interpreter);
  const dynamic = segments.find(({ kind }) => kind === Segment.dynamic);
  const tags: [tag: number, value: number][] = [];
  for (let at = dynamic?.offset ?? 0, end = at + (dynamic?.length ?? 0); at < end; at += 16) {
    if (word(at) === Tag.end) break;
    tags.push([word(at), word(at + 8)]);
  }
  const strings = tags.find(([tag]) => tag === Tag.stringTable)?.[1] ?? 0;
  // The table's place is an address in memory; the segment that is loaded there tells where that is in the file.
  const loaded = segments.find(
    ({ kind, address, length }) => kind === Segment.load && address <= strings && strings < address + length,
  );
  const inFile = strings - (loaded?.address ?? 0) + (loaded?.offset ?? 0);
  return {
    machine: bytes.readUInt16LE(18),
    ...(loader && { interpreter: text(loader.offset) }),
    needed: tags.filter(([tag]) => tag === Tag.needed).map(([, value]) => text(inFile + value)),
  };
}

/**
 * Whether a program needs no shared libraries: it names no loader for them.
 * @throws Error when it is no program for Linux
 */
export function isStatic(binary: string): boolean {
  const bytes = readFileSync(binary);
  if (!isElf(bytes)) throw new Error(`${binary} is not a 64-bit ELF program: an image can be made on Linux only`);
  return readElf(bytes).interpreter === undefined;
}

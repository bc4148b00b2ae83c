/**
 * Writes a bbolt file from its first page to its last: what it is given in the order of the keys goes into leaf pages,
 * their first keys into branch pages, and so on up to the root. In memory is one unfinished page a level.
 * Source: go.etcd.io/bbolt, node.go (how pages are split), bucket.go (which buckets are inline).
 * @module
 */
import { encodeElements } from './elements.ts';
import {
  BUCKET_HEADER_BYTES,
  type Element,
  encodeMeta,
  FIRST_PAGE,
  PAGE_HEADER_BYTES,
  PAGE_TYPE,
  sizeOf,
} from './format.ts';
import type { Visitor } from './tree-reader.ts';

/** bbolt wants two children or more under each branch page when it takes entries out. */
const LEAST_ELEMENTS = 2;
/** As `bbolt compact` does it: some room for what comes. */
const FILL = 0.9;
const NOTHING = Buffer.alloc(0);

/** Where bytes go. */
export interface ByteSink {
  /** @param bytes valid during the call only */
  write(offset: number, bytes: Buffer): void;
}

/** Numbers pages in the order in which they come. */
class PageSink {
  readonly #sink: ByteSink;
  readonly pageBytes: number;
  readonly #memory: Buffer;
  next = FIRST_PAGE;

  constructor(sink: ByteSink, pageBytes: number) {
    this.#sink = sink;
    this.pageBytes = pageBytes;
    this.#memory = Buffer.alloc(pageBytes);
  }

  add(type: number, elements: readonly Element[]): number {
    const id = this.next;
    const page = encodeElements(type, elements, this.pageBytes, this.#memory);
    const pages = page.length / this.pageBytes;
    page.writeBigUInt64LE(BigInt(id), 0);
    page.writeUInt32LE(pages - 1, 12);
    this.#sink.write(id * this.pageBytes, page);
    this.next += pages;
    return id;
  }
}

/** One level of the tree of a bucket. */
class Level {
  readonly #pages: PageSink;
  readonly #type: number;
  #above: Level | undefined;
  #waiting: Element[] = [];
  /** How many of the waiting elements fill the next page, and what they take. */
  #filled = 0;
  #bytes = PAGE_HEADER_BYTES;
  #isFull = false;

  constructor(pages: PageSink, type: number) {
    this.#pages = pages;
    this.#type = type;
  }

  add(element: Element): void {
    this.#waiting.push(element);
    const bytes = this.#bytes + sizeOf(element);
    this.#isFull ||= this.#filled >= LEAST_ELEMENTS && bytes > this.#pages.pageBytes * FILL;
    if (!this.#isFull) {
      this.#filled++;
      this.#bytes = bytes;
    } else if (this.#waiting.length >= this.#filled + LEAST_ELEMENTS) {
      // Only now: the last page needs its two elements as well.
      this.#writePage(this.#filled);
    }
  }

  #writePage(count: number): void {
    const [elements, rest] = [this.#waiting.slice(0, count), this.#waiting.slice(count)];
    const child = this.#pages.add(this.#type, elements);
    this.#above ??= new Level(this.#pages, PAGE_TYPE.branch);
    this.#above.add({ key: elements[0]?.key ?? NOTHING, value: NOTHING, isBucket: false, child });
    this.#waiting = [];
    this.#filled = 0;
    this.#bytes = PAGE_HEADER_BYTES;
    this.#isFull = false;
    for (const element of rest) this.add(element);
  }

  /** The whole bucket as the value of an element, if it is small: a quarter of a page, with no bucket in it. */
  inline(sequence: bigint): Buffer | undefined {
    const isSmall = !this.#above && this.#bytes <= this.#pages.pageBytes / 4;
    if (!isSmall || this.#isFull || this.#waiting.some(({ isBucket }) => isBucket)) return undefined;
    return Buffer.concat([bucketHeader(0, sequence), encodeElements(this.#type, this.#waiting, 1)]);
  }

  /** Writes what is waiting. @returns the root page */
  finish(): number {
    if (!this.#above) return this.#pages.add(this.#type, this.#waiting);
    this.#writePage(this.#waiting.length);
    return this.#above.finish();
  }
}

function bucketHeader(root: number, sequence: bigint): Buffer {
  const header = Buffer.alloc(BUCKET_HEADER_BYTES);
  header.writeBigUInt64LE(BigInt(root), 0);
  header.writeBigUInt64LE(sequence, 8);
  return header;
}

/** Takes buckets and entries in the order of their keys, and writes a whole file of them. */
export class TreeWriter implements Visitor {
  readonly #sink: ByteSink;
  readonly #pages: PageSink;
  readonly #sequence: bigint;
  readonly #root: Level;
  /** Buckets that are being written, the innermost last. */
  readonly #buckets: { readonly name: Buffer; readonly sequence: bigint; readonly leaves: Level }[] = [];

  /** @param sequence of the root bucket */
  constructor(sink: ByteSink, pageBytes: number, sequence = 0n) {
    this.#sink = sink;
    this.#pages = new PageSink(sink, pageBytes);
    this.#sequence = sequence;
    this.#root = new Level(this.#pages, PAGE_TYPE.leaf);
  }

  enterBucket(_table: string, name: Buffer, sequence: bigint): void {
    this.#buckets.push({ name: Buffer.from(name), sequence, leaves: new Level(this.#pages, PAGE_TYPE.leaf) });
  }

  leaveBucket(): void {
    const bucket = this.#buckets.pop();
    if (!bucket) throw new Error('leaveBucket without enterBucket');
    const { name, sequence, leaves } = bucket;
    const value = leaves.inline(sequence) ?? bucketHeader(leaves.finish(), sequence);
    this.#innermost.add({ key: name, value, isBucket: true, child: 0 });
  }

  entry(_table: string, key: Buffer, value: Buffer): void {
    // Copied: what is given may be a small part of a large page.
    this.#innermost.add({ key: Buffer.from(key), value: Buffer.from(value), isBucket: false, child: 0 });
  }

  get #innermost(): Level {
    return this.#buckets.at(-1)?.leaves ?? this.#root;
  }

  /** Writes the rest; the meta pages last, without which the file is none. @returns bytes of the file */
  finish(): number {
    const root = this.#root.finish();
    const freelist = this.#pages.add(PAGE_TYPE.freelist, []);
    const { pageBytes, next: pages } = this.#pages;
    for (const transaction of [0n, 1n]) {
      const meta = encodeMeta({ pageBytes, root, sequence: this.#sequence, freelist, pages, transaction });
      this.#sink.write(Number(transaction) * pageBytes, meta);
    }
    return pages * pageBytes;
  }
}

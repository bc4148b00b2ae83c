/**
 * Walks through all that is in a bbolt file, in the order of the keys: buckets, which hold entries and further buckets,
 * each in a tree of branch pages with leaf pages at the ends.
 * Source: go.etcd.io/bbolt, tx_check.go.
 * @module
 */
import { decodeElements } from './elements.ts';
import {
  BUCKET_HEADER_BYTES,
  type Element,
  FIRST_PAGE,
  type Meta,
  PAGE_HEADER_BYTES,
  PAGE_TYPE,
  readPageNumber,
} from './format.ts';
import { type ByteSource, PageFile } from './page-file.ts';

/** Trees that bbolt makes of files that fit on a disk have some ten levels, and step-ca nests no buckets. */
const MAX_DEPTH = 64;
const FREELIST_CHUNK_BYTES = 65_536;

/** Is told of what a file holds, in the order of the keys. Names, keys and values are valid during the call only. */
export interface Visitor {
  /** @param table names of this bucket and those around it, joined with `/` */
  enterBucket(table: string, name: Buffer, sequence: bigint): void;
  leaveBucket(): void;
  /** @param table the bucket that it is in */
  entry(table: string, key: Buffer, value: Buffer): void;
}

/** How a walk goes on. */
export interface WalkOptions {
  /** Told of each damaged page. If it returns instead of throwing, what is damaged is left out. */
  readonly onDamage: (page: number, table: string, reason: string) => void;
  /** Awaited before each page, for whatever else wants to go on. */
  readonly breathe: () => Promise<void>;
}

/** Keys of a page are not below `least`, and below `beyond`. */
interface Bounds {
  readonly least?: Buffer | undefined;
  readonly beyond?: Buffer | undefined;
}

/** Where a page was found. */
interface Place {
  readonly table: string;
  readonly depth: number;
  readonly bounds: Bounds;
}

/** Walks through what one meta page points to; for one walk. */
export class TreeReader {
  readonly #meta: Meta;
  readonly #file: PageFile;
  readonly #visitor: Visitor;
  readonly #options: WalkOptions;

  constructor(source: ByteSource, meta: Meta, visitor: Visitor, options: WalkOptions) {
    this.#meta = meta;
    this.#file = new PageFile(source, meta);
    this.#visitor = visitor;
    this.#options = options;
  }

  /** All buckets and entries. */
  async walk(): Promise<void> {
    const { tooShort } = this.#file;
    if (tooShort) this.#options.onDamage(0, '', tooShort);
    await this.#page(this.#meta.root, { table: '', depth: 0, bounds: {} });
  }

  /** The list of free pages: none of them may be in use, or bbolt would overwrite it. To be called after `walk`. */
  checkFreelist(): void {
    const { freelist } = this.#meta;
    if (freelist === undefined) return;
    const fault = this.#faultOf(freelist, '');
    const head = this.#file.readHead(freelist, [PAGE_TYPE.freelist], 0, fault);
    if (!head) return;
    // A count that does not fit into the header is the first element.
    const count = head.readUInt16LE(10);
    const [start, length] = count === 0xffff ? [8, readPageNumber(head, PAGE_HEADER_BYTES) * 8] : [0, count * 8];
    const room = (head.readUInt32LE(12) + 1) * this.#meta.pageBytes - PAGE_HEADER_BYTES;
    if (start + length > room) {
      fault(`it has no room for ${length / 8} page numbers`);
      return;
    }
    const memory = Buffer.alloc(FREELIST_CHUNK_BYTES);
    for (let at = start; at < start + length; at += FREELIST_CHUNK_BYTES) {
      const bytes = Math.min(FREELIST_CHUNK_BYTES, start + length - at);
      const chunk = this.#file.readBytes(this.#file.offsetOf(freelist) + at, memory.subarray(0, bytes), fault);
      for (let next = 0; chunk && next < bytes; next += 8) {
        const page = readPageNumber(chunk, next);
        if (page < FIRST_PAGE || !this.#file.take(page))
          fault(`it has page ${page}, which is in use or does not exist`);
      }
    }
  }

  #faultOf(page: number, table: string) {
    return (reason: string) => this.#options.onDamage(page, table, reason);
  }

  /** A branch or leaf page, and all below. */
  async #page(id: number, place: Place): Promise<void> {
    await this.#options.breathe();
    const fault = this.#faultOf(id, place.table);
    if (place.depth > MAX_DEPTH) return fault(`it is more than ${MAX_DEPTH} levels deep`);
    const page = this.#file.read(id, [PAGE_TYPE.branch, PAGE_TYPE.leaf], place.depth, fault);
    if (page) await this.#elements(id, page, place);
  }

  async #elements(id: number, page: Buffer, { table, depth, bounds }: Place): Promise<void> {
    const fault = this.#faultOf(id, table);
    const elements = inOrder(decodeElements(page, fault), bounds, fault);
    if (page.readUInt16LE(8) === PAGE_TYPE.leaf) {
      for (const element of elements) {
        if (element.isBucket) await this.#bucket(id, element, { table, depth: depth + 1, bounds: {} });
        // bbolt allows none there, and step-ca would not start if a table were one.
        else if (table === '') fault('it has a value outside of all buckets');
        else this.#visitor.entry(table, element.key, element.value);
      }
      return;
    }
    if (elements.length === 0) return fault('it is a branch without children');
    for (const [index, { key, child }] of elements.entries()) {
      const beyond = elements[index + 1]?.key ?? bounds.beyond;
      await this.#page(child, { table, depth: depth + 1, bounds: { least: key, beyond } });
    }
  }

  /** @param id of the page that the bucket is an element of */
  async #bucket(id: number, { key, value }: Element, around: Place): Promise<void> {
    const name = key.toString();
    const table = around.table === '' ? name : `${around.table}/${name}`;
    const fault = this.#faultOf(id, table);
    if (value.length < BUCKET_HEADER_BYTES) return fault(`this bucket has ${value.length} bytes only`);
    const [root, place] = [readPageNumber(value, 0), { ...around, table }];
    this.#visitor.enterBucket(table, key, value.readBigUInt64LE(8));
    if (root !== 0) await this.#page(root, place);
    else {
      const page = value.subarray(BUCKET_HEADER_BYTES);
      const isLeaf = page.length >= PAGE_HEADER_BYTES && page.readUInt16LE(8) === PAGE_TYPE.leaf;
      if (!isLeaf) fault('this bucket has neither a page of its own nor a leaf page inside');
      else if (place.depth > MAX_DEPTH) fault(`it is more than ${MAX_DEPTH} levels deep`);
      else await this.#elements(id, page, place);
    }
    this.#visitor.leaveBucket();
  }
}

/** The elements that are within the bounds, by ascending keys, each once. */
function inOrder(elements: readonly Element[], { least, beyond }: Bounds, fault: (reason: string) => void): Element[] {
  const within = elements.filter(({ key }, index) => {
    if (!(least && key.compare(least) < 0) && !(beyond && key.compare(beyond) >= 0)) return true;
    fault(`key ${index} does not belong into it, by what is above`);
    return false;
  });
  const isAbove = ({ key }: Element, index: number, all: readonly Element[]) => {
    const before = all[index - 1]?.key;
    return before === undefined || key.compare(before) > 0;
  };
  const unordered = within.findIndex((element, index) => !isAbove(element, index, within));
  if (unordered === -1) return within;
  fault(`key ${unordered} is not above the one before it`);
  return within.toSorted((a, b) => a.key.compare(b.key)).filter(isAbove);
}

/**
 * A bbolt file as pages that are read one at a time. Nothing that the file says about itself is believed before it has
 * been compared with the size of the file.
 * @module
 */
import { messageOf } from '../lib/errors.ts';
import { Damage } from './damage.ts';
import type { Fault } from './elements.ts';
import { decodeMeta, FIRST_PAGE, META_BYTES, type Meta, PAGE_HEADER_BYTES, PAGE_SIZES } from './format.ts';

/** Most that one page and what belongs to it may have: it is in memory at once, several times. The largest value that
 * step-ca writes is a revocation list; this is one of some 400000 certificates. */
const MAX_PAGE_BYTES = 1 << 24;

/** Where bytes come from. */
export interface ByteSource {
  /** Size of the whole. */
  readonly bytes: number;
  /**
   * Fills `target` with what is at `offset`.
   * @returns how many bytes: fewer at the end
   * @throws Damage if these bytes are to count as damaged; any other error ends the walk
   */
  read(offset: number, target: Buffer): number;
}

/** The valid meta pages, the newer one first. bbolt goes on from it; the other one is the state a transaction before. */
export function readMetas(source: ByteSource): Meta[] {
  const at = (offset: number) => {
    try {
      const bytes = Buffer.alloc(META_BYTES);
      return decodeMeta(bytes.subarray(0, source.read(offset, bytes)));
    } catch (error) {
      // An unreadable sector is as good as a page that was not written whole.
      if (error instanceof Damage) return undefined;
      throw error;
    }
  };
  const first = at(0);
  const sizes = first ? [first.pageBytes] : PAGE_SIZES;
  const second = sizes
    .map((size) => ({ size, meta: at(size) }))
    .find(({ size, meta }) => meta?.pageBytes === size)?.meta;
  const valid = [first, second].filter((meta) => meta !== undefined);
  return valid.sort((a, b) => (a.transaction < b.transaction ? 1 : -1));
}

/** The pages that a meta page knows of. Each is given out once, so that no walk through them is endless. */
export class PageFile {
  readonly #source: ByteSource;
  readonly #meta: Meta;
  /** A bit a page: taken. */
  readonly #taken: Buffer;
  /** How many pages the file really has, at most as many as the meta page knows of. */
  readonly #pages: number;
  /** Memory for one page a level: none is made anew for the many pages of a level. */
  readonly #levels: Buffer[] = [];

  constructor(source: ByteSource, meta: Meta) {
    this.#source = source;
    this.#meta = meta;
    this.#pages = Math.min(meta.pages, Math.floor(source.bytes / meta.pageBytes));
    this.#taken = Buffer.alloc(Math.ceil(this.#pages / 8));
  }

  /** Why the file is not as long as it has to be; `undefined` when it is. */
  get tooShort(): string | undefined {
    const { pages, pageBytes } = this.#meta;
    if (this.#pages === pages) return undefined;
    return `the file has ${this.#source.bytes} bytes, and should have at least ${pages * pageBytes}`;
  }

  /**
   * A page with all that belongs to it; `undefined` after a fault.
   * @param level of the tree that it is on: its bytes are valid until the next page is read for this level
   */
  read(id: number, types: readonly number[], level: number, fault: Fault): Buffer | undefined {
    const { pageBytes } = this.#meta;
    const head = this.readHead(id, types, level, fault);
    if (!head) return undefined;
    const length = (head.readUInt32LE(12) + 1) * pageBytes;
    if (length === pageBytes) return head;
    if (length > MAX_PAGE_BYTES) {
      fault(`it has ${length} bytes, more than ${MAX_PAGE_BYTES}`);
      return undefined;
    }
    return this.readBytes(id * pageBytes, Buffer.allocUnsafe(length), fault);
  }

  /** The first of the pages that belong together, checked; all of them are taken. `undefined` after a fault. */
  readHead(id: number, types: readonly number[], level: number, fault: Fault): Buffer | undefined {
    const { pageBytes } = this.#meta;
    if (!(id >= FIRST_PAGE && id < this.#pages)) {
      fault(`there is no such page, the last one is ${this.#pages - 1}`);
      return undefined;
    }
    const memory = this.#levels[level] ?? Buffer.alloc(pageBytes);
    this.#levels[level] = memory;
    const head = this.readBytes(id * pageBytes, memory, fault);
    if (!head) return undefined;
    const type = head.readUInt16LE(8);
    const overflow = head.readUInt32LE(12);
    if (head.readUInt32LE(0) !== id % 0x1_0000_0000 || head.readUInt32LE(4) !== Math.floor(id / 0x1_0000_0000))
      fault('its header has the number of another page');
    else if (!types.includes(type)) fault(`its type is ${type}, wanted ${types.join(' or ')}`);
    else if (id + overflow >= this.#pages) fault(`it goes on for ${overflow} pages, beyond the end of the file`);
    else {
      for (let page = id; page <= id + overflow; page++) {
        if (this.take(page)) continue;
        fault(page === id ? 'it is in use already' : `it goes on into page ${page}, which is in use already`);
        return undefined;
      }
      return head;
    }
    return undefined;
  }

  /** Fills `target` with bytes of the file and returns it; `undefined` after a fault. */
  readBytes(offset: number, target: Buffer, fault: Fault): Buffer | undefined {
    let bytes: number;
    try {
      bytes = this.#source.read(offset, target);
    } catch (error) {
      if (!(error instanceof Damage)) throw error;
      fault(`it cannot be read: ${messageOf(error)}`);
      return undefined;
    }
    if (bytes === target.length) return target;
    fault('the file ends in it');
    return undefined;
  }

  /** Marks a page as taken; false if there is none, or it was taken before. */
  take(id: number): boolean {
    if (id >= this.#pages) return false;
    const [at, bit] = [Math.floor(id / 8), 1 << (id % 8)];
    const byte = this.#taken[at] ?? 0;
    this.#taken[at] = byte | bit;
    return (byte & bit) === 0;
  }

  /** Where the elements of a page are. */
  offsetOf(id: number): number {
    return id * this.#meta.pageBytes + PAGE_HEADER_BYTES;
  }
}

/**
 * The elements of branch and leaf pages, in bytes and out of them.
 * Source: go.etcd.io/bbolt, internal/common/inode.go.
 * @module
 */
import {
  BUCKET_FLAG,
  ELEMENT_BYTES,
  type Element,
  PAGE_HEADER_BYTES,
  PAGE_TYPE,
  readPageNumber,
  sizeOf,
} from './format.ts';

/** Longest key that bbolt takes. */
const MAX_KEY_BYTES = 32_768;
const NOTHING = Buffer.alloc(0);

/** Told what is wrong. It throws, or what is wrong is left out. */
export type Fault = (reason: string) => void;

/**
 * The elements of a page that is in memory with all that belongs to it. They point into it.
 * bbolt writes keys and values one behind the other; so nothing is read twice, and what comes out is no larger than
 * what goes in.
 */
export function decodeElements(page: Buffer, fault: Fault): Element[] {
  const isLeaf = page.readUInt16LE(8) === PAGE_TYPE.leaf;
  const count = page.readUInt16LE(10);
  let end = PAGE_HEADER_BYTES + count * ELEMENT_BYTES;
  if (end > page.length) {
    fault(`it has ${page.length} bytes, too few for ${count} elements`);
    return [];
  }
  const elements: Element[] = [];
  for (let index = 0; index < count; index++) {
    const at = PAGE_HEADER_BYTES + index * ELEMENT_BYTES;
    const [position, keyBytes, valueBytes] = isLeaf
      ? [page.readUInt32LE(at + 4), page.readUInt32LE(at + 8), page.readUInt32LE(at + 12)]
      : [page.readUInt32LE(at), page.readUInt32LE(at + 4), 0];
    const start = at + position;
    if (keyBytes === 0 || keyBytes > MAX_KEY_BYTES || start < end || start + keyBytes + valueBytes > page.length) {
      fault(`element ${index} points to ${keyBytes} + ${valueBytes} bytes at ${start}, which are not there`);
      continue;
    }
    if (start !== end) fault(`element ${index} does not begin where the one before it ends`);
    end = start + keyBytes + valueBytes;
    elements.push({
      key: page.subarray(start, start + keyBytes),
      value: isLeaf ? page.subarray(start + keyBytes, end) : NOTHING,
      isBucket: isLeaf && (page.readUInt32LE(at) & BUCKET_FLAG) !== 0,
      child: isLeaf ? 0 : readPageNumber(page, at + 8),
    });
  }
  return elements;
}

/**
 * A page without number.
 * @param unit its length is the least multiple of it that holds the elements
 * @param memory used for it where that is long enough
 */
export function encodeElements(type: number, elements: readonly Element[], unit: number, memory?: Buffer): Buffer {
  const size = elements.reduce((sum, element) => sum + sizeOf(element), PAGE_HEADER_BYTES);
  const page = memory && size <= memory.length ? memory.fill(0) : Buffer.alloc(Math.ceil(size / unit) * unit);
  page.writeUInt16LE(type, 8);
  page.writeUInt16LE(elements.length, 10);
  let start = PAGE_HEADER_BYTES + elements.length * ELEMENT_BYTES;
  for (const [index, { key, value, isBucket, child }] of elements.entries()) {
    const at = PAGE_HEADER_BYTES + index * ELEMENT_BYTES;
    if (type === PAGE_TYPE.leaf) {
      page.writeUInt32LE(isBucket ? BUCKET_FLAG : 0, at);
      page.writeUInt32LE(start - at, at + 4);
      page.writeUInt32LE(key.length, at + 8);
      page.writeUInt32LE(value.length, at + 12);
    } else {
      page.writeUInt32LE(start - at, at);
      page.writeUInt32LE(key.length, at + 4);
      page.writeBigUInt64LE(BigInt(child), at + 8);
    }
    start += key.copy(page, start);
    start += value.copy(page, start);
  }
  return page;
}

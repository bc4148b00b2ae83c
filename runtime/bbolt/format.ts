/**
 * The format of a bbolt file, version 2: pages of one size, each with a header. Pages 0 and 1 are meta pages; each
 * transaction overwrites the older one and points to a new tree of pages. All numbers are little-endian, as bbolt
 * writes them on every machine that Kubernetes runs on.
 * Source: go.etcd.io/bbolt, internal/common (page.go, meta.go, inode.go, bucket.go).
 * @module
 */

/** Of a page: id (8 bytes), type (2), count of elements (2), how many pages follow that belong to it (4). */
export const PAGE_HEADER_BYTES = 16;
/** Of each element of a branch or leaf page; keys and values come behind the last one. */
export const ELEMENT_BYTES = 16;
/** The value of a bucket: its root page (8 bytes; 0: a page follows right here), its sequence number (8). */
export const BUCKET_HEADER_BYTES = 16;
/** Of a meta page, the header included. */
export const META_BYTES = 80;

/** What a page is. */
export const PAGE_TYPE = { branch: 0x01, leaf: 0x02, meta: 0x04, freelist: 0x10 } as const;
/** Flag of an element of a leaf page: its value is a bucket. */
export const BUCKET_FLAG = 0x01;
/** The first two pages of a file are meta pages. */
export const FIRST_PAGE = 2;

const MAGIC = 0xed0cdaed;
const VERSION = 2;
const NO_FREELIST = 0xffff_ffff_ffff_ffffn;

/** Sizes of page that are read. bbolt takes the one of the machine: 4 to 64 KiB. */
export const PAGE_SIZES: readonly number[] = [1024, 2048, 4096, 8192, 16_384, 32_768, 65_536];

/** What a meta page says. */
export interface Meta {
  readonly pageBytes: number;
  /** Root page of the root bucket. */
  readonly root: number;
  /** Sequence number of the root bucket. */
  readonly sequence: bigint;
  /** Page with the list of free pages; `undefined`: the file has none. */
  readonly freelist: number | undefined;
  /** How many pages there are: none in use has this number or a higher one. */
  readonly pages: number;
  /** The transaction that wrote it. */
  readonly transaction: bigint;
}

/** An element of a page: of a leaf page it has a value, of a branch page a child. */
export interface Element {
  readonly key: Buffer;
  readonly value: Buffer;
  readonly isBucket: boolean;
  /** Page below. */
  readonly child: number;
}

/** FNV-1a, 64 bits. */
function checksum(bytes: Buffer): bigint {
  let hash = 0xcbf29ce484222325n;
  for (const byte of bytes) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  return hash;
}

/** A number of 64 bits. Page numbers beyond 2⁵³ lose their last digits, and are beyond the end of any file. */
export function readPageNumber(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 0x1_0000_0000;
}

/** What a meta page says; `undefined` if it is none, or was not written whole. */
export function decodeMeta(page: Buffer): Meta | undefined {
  if (page.length < META_BYTES) return undefined;
  const body = page.subarray(PAGE_HEADER_BYTES, META_BYTES);
  if (body.readUInt32LE(0) !== MAGIC || body.readUInt32LE(4) !== VERSION) return undefined;
  if (body.readBigUInt64LE(56) !== checksum(body.subarray(0, 56))) return undefined;
  const pageBytes = body.readUInt32LE(8);
  if (!PAGE_SIZES.includes(pageBytes)) return undefined;
  return {
    pageBytes,
    root: readPageNumber(body, 16),
    sequence: body.readBigUInt64LE(24),
    freelist: body.readBigUInt64LE(32) === NO_FREELIST ? undefined : readPageNumber(body, 32),
    pages: readPageNumber(body, 40),
    transaction: body.readBigUInt64LE(48),
  };
}

/** A meta page. Which of the two it is follows from the transaction. */
export function encodeMeta(meta: Meta): Buffer {
  const page = Buffer.alloc(meta.pageBytes);
  page.writeBigUInt64LE(meta.transaction % 2n, 0);
  page.writeUInt16LE(PAGE_TYPE.meta, 8);
  const body = page.subarray(PAGE_HEADER_BYTES, META_BYTES);
  body.writeUInt32LE(MAGIC, 0);
  body.writeUInt32LE(VERSION, 4);
  body.writeUInt32LE(meta.pageBytes, 8);
  body.writeBigUInt64LE(BigInt(meta.root), 16);
  body.writeBigUInt64LE(meta.sequence, 24);
  body.writeBigUInt64LE(meta.freelist === undefined ? NO_FREELIST : BigInt(meta.freelist), 32);
  body.writeBigUInt64LE(BigInt(meta.pages), 40);
  body.writeBigUInt64LE(meta.transaction, 48);
  body.writeBigUInt64LE(checksum(body.subarray(0, 56)), 56);
  return page;
}

/** Bytes that an element takes of a page. */
export function sizeOf({ key, value }: Element): number {
  return ELEMENT_BYTES + key.length + value.length;
}

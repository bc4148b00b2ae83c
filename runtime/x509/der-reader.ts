/**
 * Reading DER (X.690), as far as certificates need it. Lengths are checked against what is there, so that crafted input
 * ends in an error and never in a read past the end.
 * @module
 */
import { AutocertError } from '../lib/errors.ts';

/** One tag-length-value. */
export interface DerValue {
  readonly tag: number;
  /** What is inside. */
  readonly bytes: Buffer;
  /** All of it: tag, length and what is inside. */
  readonly whole: Buffer;
}

/** Universal tags. */
export const Tag = {
  boolean: 0x01,
  integer: 0x02,
  sequence: 0x30,
  /** `[0]`, constructed. */
  context0: 0xa0,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utf8: 0x0c,
  bmpString: 0x1e,
  utcTime: 0x17,
} as const;

/** The values inside `bytes`, one after another. */
export function readAll(bytes: Buffer): DerValue[] {
  const values: DerValue[] = [];
  for (let rest = bytes; rest.length > 0; ) {
    const { value, size } = readFirst(rest);
    values.push(value);
    rest = rest.subarray(size);
  }
  return values;
}

/** The only value inside `bytes`. */
export function readOne(bytes: Buffer): DerValue {
  const [value, ...more] = readAll(bytes);
  if (value === undefined || more.length > 0) throw malformed();
  return value;
}

/** An OBJECT IDENTIFIER, dotted. */
export function readOid({ bytes }: DerValue): string {
  const arcs: number[] = [];
  let arc = 0;
  for (const byte of bytes) {
    arc = arc * 128 + (byte & 0x7f);
    if (byte & 0x80) continue;
    arcs.push(arc);
    arc = 0;
  }
  const [first = 0, ...rest] = arcs;
  const top = Math.min(Math.floor(first / 40), 2);
  return [top, first - top * 40, ...rest].join('.');
}

/** An INTEGER that is not negative. */
export function readInteger({ bytes }: DerValue): bigint {
  return BigInt(`0x${bytes.toString('hex') || '0'}`);
}

/** The bytes of a BIT STRING of whole bytes. */
export function readBitString({ bytes }: DerValue): Buffer {
  return bytes.subarray(1);
}

/** UTCTime or GeneralizedTime, both in UTC as RFC 5280 demands. */
export function readTime({ tag, bytes }: DerValue): Date {
  const text = bytes.toString('latin1');
  const full = tag === Tag.utcTime ? `${Number(text.slice(0, 2)) < 50 ? '20' : '19'}${text}` : text;
  const [, year, month, day, hour, minute, second] = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(full) ?? [];
  const date = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  if (Number.isNaN(date.getTime())) throw malformed();
  return date;
}

/** Text of any of ASN.1's string types. */
export function readText({ tag, bytes }: DerValue): string {
  if (tag === Tag.bmpString && bytes.length % 2 === 0) return Buffer.from(bytes).swap16().toString('utf16le');
  return bytes.toString('utf8');
}

function readFirst(bytes: Buffer): { value: DerValue; size: number } {
  const [tag, short] = bytes;
  if (tag === undefined || short === undefined) throw malformed();
  const lengthBytes = short & 0x80 ? short & 0x7f : 0;
  if (lengthBytes > 4 || bytes.length < 2 + lengthBytes || short === 0x80) throw malformed();
  const length = lengthBytes === 0 ? short : bytes.readUIntBE(2, lengthBytes);
  const start = 2 + lengthBytes;
  if (bytes.length < start + length) throw malformed();
  const end = start + length;
  return { value: { tag, bytes: bytes.subarray(start, end), whole: bytes.subarray(0, end) }, size: end };
}

function malformed(): AutocertError {
  return new AutocertError('INVALID_INPUT', 'malformed DER: what was given is damaged or is something else');
}

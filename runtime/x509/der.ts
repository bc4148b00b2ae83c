/**
 * The handful of DER encodings that a certificate request needs (X.690). Written out by hand because an ASN.1 library
 * would make the agent, which runs in every pod, thirty times as large.
 * @module
 */

/** One tag-length-value. */
export function encode(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(contents);
  return Buffer.concat([Buffer.of(tag), lengthOf(body.length), body]);
}

/** SEQUENCE. */
export function sequence(...items: readonly Uint8Array[]): Buffer {
  return encode(0x30, ...items);
}

/** INTEGER that is not negative. */
export function integer(value: bigint): Buffer {
  const hex = value.toString(16);
  const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex');
  // A leading one bit would make it negative.
  return encode(0x02, ...((bytes[0] ?? 0) & 0x80 ? [Buffer.of(0)] : []), bytes);
}

/** OBJECT IDENTIFIER, from its dotted form. */
export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  return encode(0x06, Buffer.from([first * 40 + second, ...rest].flatMap(base128)));
}

/** BIT STRING of whole bytes. */
export function bitString(bytes: Uint8Array): Buffer {
  return encode(0x03, Buffer.of(0), bytes);
}

/** PEM around DER. */
export function toPem(label: string, der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n');
}

function lengthOf(length: number): Buffer {
  if (length < 0x80) return Buffer.of(length);
  const bytes: number[] = [];
  for (let rest = length; rest > 0; rest >>>= 8) bytes.unshift(rest & 0xff);
  return Buffer.from([0x80 | bytes.length, ...bytes]);
}

function base128(arc: number): number[] {
  const digits = [arc & 0x7f];
  for (let rest = arc >>> 7; rest > 0; rest >>>= 7) digits.unshift(0x80 | (rest & 0x7f));
  return digits;
}

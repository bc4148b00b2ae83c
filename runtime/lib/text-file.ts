/**
 * Reads files that somebody else wrote: of bounded size, with an error that names them.
 * @module
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { getSystemErrorMap } from 'node:util';
import { AutocertError, type ErrorCode, messageOf } from './errors.ts';

/** No configuration, key or bundle of certificates comes near it. */
const MAX_BYTES = 1 << 20;

/**
 * The text of a file.
 * @param code of the error: `INVALID_INPUT` where a user names the file
 * @param maxBytes most that is read of it
 * @throws AutocertError when it cannot be read or has more than `maxBytes`, by default a mebibyte
 */
export function readTextFile(file: string, code: ErrorCode = 'INVALID_CONFIG', maxBytes = MAX_BYTES): string {
  try {
    return readBounded(file, maxBytes);
  } catch (error) {
    throw new AutocertError(code, `cannot read ${file}: ${whyNot(error)}`);
  }
}

/** In the system's words. Node's message has the file's name in it once more. */
function whyNot(error: unknown): string {
  const number = typeof error === 'object' && error !== null && 'errno' in error ? Number(error.errno) : Number.NaN;
  const [code, words] = getSystemErrorMap().get(number) ?? [];
  return words === undefined ? messageOf(error) : `${words} (${code})`;
}

/** Bytes that are read at once. */
const PIECE = 1 << 16;

/** What a pipe or a device will give is in no directory: so the bytes are counted as they come. */
function readBounded(file: string, maxBytes: number): string {
  const descriptor = openSync(file, 'r');
  try {
    const pieces: Buffer[] = [];
    for (let size = 0; ; ) {
      const piece = Buffer.allocUnsafe(PIECE);
      const count = readSync(descriptor, piece);
      if (count === 0) return Buffer.concat(pieces).toString('utf8');
      size += count;
      if (size > maxBytes) throw new Error(`larger than ${maxBytes} bytes`);
      pieces.push(piece.subarray(0, count));
    }
  } finally {
    closeSync(descriptor);
  }
}

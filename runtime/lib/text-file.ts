/**
 * Reads files that somebody else wrote: of bounded size, with an error that names them.
 * @module
 */
import { readFileSync, statSync } from 'node:fs';
import { AutocertError, type ErrorCode, messageOf } from './errors.ts';

/** No configuration, key or bundle of certificates comes near it. */
const MAX_BYTES = 1 << 20;

/**
 * The text of a file.
 * @param code of the error: `INVALID_INPUT` where a user names the file
 * @throws AutocertError when it cannot be read or has more than a mebibyte
 */
export function readTextFile(file: string, code: ErrorCode = 'INVALID_CONFIG'): string {
  try {
    if (statSync(file).size > MAX_BYTES) throw new Error(`larger than ${MAX_BYTES} bytes`);
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new AutocertError(code, `cannot read ${file}: ${messageOf(error)}`);
  }
}

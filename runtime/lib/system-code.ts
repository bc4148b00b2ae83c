/**
 * Codes of errors that Node.js, the system and OpenSSL report.
 * @module
 */

/** The `code` of anything thrown, such as `ENOENT`; empty when it has none. */
export function systemCodeOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
}

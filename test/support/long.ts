/**
 * Whether tests that have a long form take it: `AUTOCERT_LONG=1 npm run interop`.
 * @module
 */

/** Without it tests try some of each kind. */
export const LONG = process.env.AUTOCERT_LONG === '1';

/** All cases in the long form, otherwise the first `few`: those that tell most stand first. */
export function fewOrAll<T>(few: number, cases: readonly T[]): readonly T[] {
  return LONG ? cases : cases.slice(0, few);
}

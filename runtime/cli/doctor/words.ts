/**
 * What the parts say of themselves, told apart. Pure.
 * @module
 */

/** What a part's own words are about. */
export type WordsFault = 'ca-volume' | 'password' | 'clock';

const FAULTS: readonly (readonly [RegExp, WordsFault])[] = [
  [/^the volume of the database|^the database cannot be prepared|no space left|ENOSPC|EDQUOT/i, 'ca-volume'],
  [/the password does not open|there is no password for/, 'password'],
  [/is not valid before|this machine's clock says/, 'clock'],
];

/** `undefined`: something else. */
export function faultIn(words: string): WordsFault | undefined {
  return FAULTS.find(([pattern]) => pattern.test(words))?.[1];
}

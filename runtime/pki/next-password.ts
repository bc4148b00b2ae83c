/**
 * How one password takes the place of another without a moment in which a program has the wrong one: first both are in
 * the Secret (`password` and `next-password`), then what they open is encrypted anew, then the old one goes. Whoever reads
 * the Secret tries both.
 * @module
 */
import { PkiFile } from '../contract.ts';
import { AutocertError } from '../lib/errors.ts';
import { Secret } from '../lib/secret.ts';
import type { PasswordsToTry } from '../x509/private-key.ts';
import { createPassword } from './authorities.ts';
import { changeObject } from './change-object.ts';
import type { ClusterObjects, Files } from './cluster-objects.ts';

/** The Secrets with a password. */
export type PasswordObject = 'caPassword' | 'autocertPassword';

/** What such a Secret holds. */
export interface Passwords {
  readonly current: Secret;
  /** There only while it replaces the current one. */
  readonly next?: Secret;
}

/** The passwords in a Secret's files. */
export function passwordsIn(files: Files): Passwords {
  const { [PkiFile.password]: current = '', [PkiFile.nextPassword]: next } = files;
  // As whoever mounts the Secret reads it: an editor may have added the end of a line.
  return { current: new Secret(current.trimEnd()), ...(next && { next: new Secret(next.trimEnd()) }) };
}

/** The passwords by which to open what may be under either: the next one first, for it is the one for what is new. */
export function passwordsToTry(files: Files): PasswordsToTry {
  const { current, next } = passwordsIn(files);
  return next === undefined ? [current] : [next, current];
}

/** Puts a new password beside the current one; one that is there already, from a run that was interrupted, stays. */
export async function announcePassword(objects: ClusterObjects, key: PasswordObject): Promise<Required<Passwords>> {
  const fresh = createPassword();
  let announced: Required<Passwords> | undefined;
  await changeObject(objects, key, (files) => {
    const { current, next = fresh } = passwordsIn(files);
    announced = { current, next };
    return next === fresh ? { ...files, [PkiFile.nextPassword]: fresh.reveal() } : undefined;
  });
  // changeObject has called it, or thrown
  return announced as Required<Passwords>;
}

/**
 * Lets the announced password take the place of the current one.
 * @throws AutocertError `UNAVAILABLE` when the Secret has got other passwords in the meantime
 */
export async function settlePassword(objects: ClusterObjects, key: PasswordObject, next: Secret): Promise<void> {
  await changeObject(objects, key, (files) => {
    const found = passwordsIn(files);
    if (found.next?.reveal() === next.reveal()) return { [PkiFile.password]: next.reveal() };
    if (found.next === undefined && found.current.reveal() === next.reveal()) return undefined;
    throw new AutocertError(
      'UNAVAILABLE',
      `${objects.nameOf(key)} was changed by somebody else meanwhile: nothing is lost; run the command again when they are done`,
    );
  });
}

/**
 * What tells a PKI that has lost an object from one that was never made, and says which object to restore.
 * @module
 */
import { AutocertError } from '../lib/errors.ts';
import type { ClusterObjects, PkiObjectKey } from './cluster-objects.ts';
import type { StoredObjects } from './cluster-pki.ts';

/** A first run that was killed is gone on with for so long. Older passwords without a PKI are what is left of one. */
const BEGINNING_MS = 3_600_000;

/**
 * Whether there is no PKI yet: nothing, or the passwords of a first run that was killed.
 * @throws AutocertError `INVALID_CONFIG` when the passwords are older: the rest was lost
 */
export function checkBeginning(objects: ClusterObjects, stored: StoredObjects, now: Date): boolean {
  const passwords: readonly PkiObjectKey[] = ['caPassword', 'autocertPassword'];
  if ([...stored.keys()].some((key) => !passwords.includes(key))) return false;
  const old = [...stored].find(([, { createdAt }]) => +now - +createdAt > BEGINNING_MS);
  if (old === undefined) return true;
  const names = [...stored.keys()].map((key) => objects.nameOf(key)).join(' and ');
  throw new AutocertError(
    'INVALID_CONFIG',
    `namespace ${objects.namespace} has ${names}, made at ${old[1].createdAt.toISOString()}, and nothing else of its PKI: ` +
      'no new root is made, because pods may trust the old one. Restore the PKI from a backup (autocert pki restore). ' +
      `If it never gave a certificate to anybody, delete ${names} to begin anew`,
  );
}

/** @throws AutocertError `INVALID_CONFIG` when `missing` is, and one of `dependents`, which were made with it, is not */
export function refuseWithout(
  objects: ClusterObjects,
  stored: StoredObjects,
  missing: PkiObjectKey,
  dependents: readonly PkiObjectKey[],
): void {
  const there = dependents.filter((key) => stored.has(key)).map((key) => objects.nameOf(key));
  if (stored.has(missing) || there.length === 0) return;
  throw new AutocertError(
    'INVALID_CONFIG',
    `${objects.nameOf(missing)} is missing in namespace ${objects.namespace}, but ${there.join(' and ')}, made with it, ` +
      `exist${there.length === 1 ? 's' : ''}: restore ${objects.nameOf(missing)} from a backup (autocert pki restore)`,
  );
}

/** The error where a PKI is there, and what its intermediate could be made from is not. */
export function lost(objects: ClusterObjects, stored: StoredObjects, what: 'root' | 'key'): AutocertError {
  const [certificates, rootKey, intermediateKey] = (['certificates', 'rootKey', 'intermediateKey'] as const).map(
    (key) => objects.nameOf(key),
  );
  const there = [...stored.keys()].map((key) => objects.nameOf(key)).join(', ');
  const text =
    what === 'key'
      ? `${intermediateKey} is missing or has no key, and the root's key, by which a new one could be made, is not in the cluster: ` +
        `restore ${intermediateKey} from a backup (autocert pki restore), or run autocert pki intermediate --root-key FILE`
      : `the root certificate is lost: ${certificates} is missing or empty, and neither ${intermediateKey} nor ${rootKey} has a copy of it. ` +
        `No new root is made, because pods trust the old one (there are ${there}): restore ${certificates} or ${intermediateKey} from a backup (autocert pki restore)`;
  return new AutocertError('INVALID_CONFIG', `namespace ${objects.namespace}: ${text}`);
}

/**
 * What tells a PKI that has lost an object from one that is there, and says which object to restore.
 * @module
 */
import { AutocertError } from '../lib/errors.ts';
import type { ClusterObjects, PkiObjectKey } from './cluster-objects.ts';
import type { StoredObjects } from './cluster-pki.ts';

/** @throws AutocertError `INVALID_CONFIG` when there is nothing of a PKI, or nothing but passwords: the rest was lost */
export function refuseNothing(objects: ClusterObjects, stored: StoredObjects): void {
  const passwords: readonly PkiObjectKey[] = ['caPassword', 'autocertPassword'];
  if ([...stored.keys()].some((key) => !passwords.includes(key))) return;
  const names = [...stored.keys()].map((key) => objects.nameOf(key)).join(' and ');
  throw new AutocertError(
    'INVALID_CONFIG',
    names === ''
      ? `namespace ${objects.namespace} has no PKI: the Job autocert-init makes one when the manifests are applied, or autocert pki init`
      : `namespace ${objects.namespace} has ${names}, and nothing else of its PKI: ` +
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

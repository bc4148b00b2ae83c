/**
 * Changes one object of the PKI by what it holds now.
 * @module
 */
import { AutocertError } from '../lib/errors.ts';
import type { ClusterObjects, Files, PkiObjectKey, Stored } from './cluster-objects.ts';
import { withoutRaces } from './cluster-pki.ts';

/**
 * The object, which has to be there.
 * @throws AutocertError `INVALID_CONFIG` when it is not
 */
export async function requireObject(objects: ClusterObjects, key: PkiObjectKey): Promise<Stored> {
  const stored = await objects.find(key);
  if (stored) return stored;
  throw new AutocertError(
    'INVALID_CONFIG',
    `there is no ${objects.nameOf(key)} in namespace ${objects.namespace}: name that of the CA by --namespace; ` +
      'if the object was lost, restore it from a backup',
  );
}

/**
 * Replaces the object's files by what `change` makes of them, beginning again when somebody else was faster.
 * @param change gives `undefined` when there is nothing to change
 * @returns whether something was written
 * @throws AutocertError `INVALID_CONFIG` when the object is not there
 */
export async function changeObject(
  objects: ClusterObjects,
  key: PkiObjectKey,
  change: (files: Files) => Promise<Files | undefined> | Files | undefined,
): Promise<boolean> {
  return withoutRaces(async () => {
    const seen = await requireObject(objects, key);
    const files = await change(seen.files);
    if (files !== undefined) await objects.replace(key, files, seen);
    return files !== undefined;
  });
}

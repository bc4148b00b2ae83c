/**
 * Whether the objects of a backup would bring a CA back: what is missing, and what does not fit together.
 * @module
 */
import { PkiFile } from '../contract.ts';
import { AutocertError, messageOf } from '../lib/errors.ts';
import { isKeyOf } from '../x509/certificate.ts';
import { checkProvisioners } from './check-provisioners.ts';
import type { ClusterObjects } from './cluster-objects.ts';
import { interpret, openWithAny, type StoredObjects, signerOf, unfit } from './cluster-pki.ts';
import { passwordsToTry } from './next-password.ts';

/** Without these no CA, or no Autocert, starts. */
const NEEDED = ['intermediateKey', 'caPassword', 'provisioners', 'autocertPassword'] as const;

/** What is wrong, in sentences; nothing of it keeps anybody from saving what there is. */
export async function problemsOf(objects: ClusterObjects, stored: StoredObjects): Promise<readonly string[]> {
  const missing = NEEDED.filter((key) => !stored.has(key)).map(
    (key) => `${objects.nameOf(key)} is missing, or not whole`,
  );
  if (missing.length > 0) return missing;
  try {
    checkAuthorities(objects, stored);
    const provisioners = stored.get('provisioners')?.files ?? {};
    await checkProvisioners(objects, provisioners, passwordsToTry(stored.get('autocertPassword')?.files ?? {}));
    return [];
  } catch (error) {
    if (error instanceof AutocertError) return [messageOf(error)];
    throw error;
  }
}

function checkAuthorities(objects: ClusterObjects, stored: StoredObjects): void {
  const passwords = passwordsToTry(stored.get('caPassword')?.files ?? {});
  const keyPem = stored.get('intermediateKey')?.files[PkiFile.intermediateKey] ?? '';
  const key = openWithAny(keyPem, passwords, objects.nameOf('intermediateKey'));
  const pki = interpret(objects, stored);
  if (pki === undefined) throw new AutocertError('INVALID_CONFIG', 'there are no certificates');
  if (!isKeyOf(key, pki.chain[0])) {
    throw unfit(objects, 'intermediateKey', 'certificates', 'the key is not that of the intermediate certificate');
  }
  signerOf(objects, stored, pki.signingRoot, passwords);
}

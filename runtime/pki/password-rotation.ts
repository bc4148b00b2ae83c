/**
 * Replaces the password of the CA's keys and of the provisioners that share it. It may be killed at any point and run
 * again, and the CA may start at any moment: see `next-password.ts`.
 * @module
 */
import { PkiFile, Provisioner } from '../contract.ts';
import { AutocertError } from '../lib/errors.ts';
import { Secret } from '../lib/secret.ts';
import { withNewPassword } from '../step-ca/one-time-token.ts';
import { encryptKey, isWrongPassword, openKey } from '../x509/private-key.ts';
import { changeObject, requireObject } from './change-object.ts';
import type { ClusterObjects, Files, PkiObjectKey, Stored } from './cluster-objects.ts';
import { openWithAny } from './cluster-pki.ts';
import { announcePassword, type Passwords, passwordsIn, passwordsToTry, settlePassword } from './next-password.ts';
import { hasEncryptedKey, provisionerFiles, provisionersIn } from './provisioner-list.ts';

/** Tells people what happens, a line at a time; never a secret. */
export type Say = (line: string) => void;

/** Options of {@link rotateCaPassword}. */
export interface PasswordRotationOptions {
  readonly say: Say;
  /**
   * The root's key, or the new root's, is kept outside of the cluster, and whoever keeps it has saved the password that
   * opens it.
   * @default false
   */
  readonly rootKeyElsewhere?: boolean;
}

/** What the password opens, but for the provisioners. */
const KEYS = [
  { key: 'intermediateKey', file: PkiFile.intermediateKey },
  { key: 'rootKey', file: PkiFile.rootKey },
  { key: 'nextRoot', file: PkiFile.rootKey },
] as const;
type EncryptedKey = (typeof KEYS)[number];

/**
 * Replaces the password in the Secret `ca-password`, or goes on where an earlier run was interrupted.
 * @throws AutocertError `WRONG_PASSWORD`, `INVALID_CONFIG` before anything is changed, when something cannot be opened;
 * `INVALID_INPUT` when a root's key is not in the cluster, and nobody said that its password is saved
 */
export async function rotateCaPassword(objects: ClusterObjects, options: PasswordRotationOptions): Promise<void> {
  const { say, rootKeyElsewhere = false } = options;
  const found = await requireObject(objects, 'caPassword');
  await checkKeys(objects, found, rootKeyElsewhere);
  if (passwordsIn(found.files).next) say('goes on with the new password of a run that was interrupted');
  const passwords = await announcePassword(objects, 'caPassword');
  say(`${objects.nameOf('caPassword')}: the new password is beside the old one`);
  for (const one of KEYS) await renewKey(objects, one, passwords, say);
  await renewProvisioners(objects, passwords, say);
  await settlePassword(objects, 'caPassword', passwords.next);
  say(`${objects.nameOf('caPassword')}: the new password is in place of the old one`);
  // What the init Job has made meanwhile, by the password that it had read before.
  for (const one of KEYS) await renewKey(objects, one, passwords, () => {});
}

/** Everything can be opened, or nothing is begun. */
async function checkKeys(objects: ClusterObjects, password: Stored, rootKeyElsewhere: boolean): Promise<void> {
  provisionersIn((await requireObject(objects, 'provisioners')).files, objects);
  await requireObject(objects, 'intermediateKey');
  for (const { key, file } of KEYS) {
    const found = await objects.find(key);
    const pem = found?.files[file];
    if (pem !== undefined) openWithAny(pem, passwordsToTry(password.files), objects.nameOf(key));
    else if ((key === 'rootKey' || found) && !rootKeyElsewhere) throw rootKeyMissing(objects, key);
  }
}

function rootKeyMissing(objects: ClusterObjects, key: PkiObjectKey): AutocertError {
  const { namespace } = objects;
  const missing = key === 'rootKey' ? 'is not' : `has no ${PkiFile.rootKey}`;
  return new AutocertError(
    'INVALID_INPUT',
    `${objects.nameOf(key)} ${missing} in namespace ${namespace}. If you keep it elsewhere, the password in ` +
      `${objects.nameOf('caPassword')} may be the only one that opens it, and it goes: save it beside the key ` +
      `(kubectl -n ${namespace} get secret ca-password -o jsonpath='{.data.password}' | base64 -d), ` +
      'then run this again with --root-key-elsewhere',
  );
}

async function renewKey(
  objects: ClusterObjects,
  { key, file }: EncryptedKey,
  { current, next }: Required<Passwords>,
  say: Say,
): Promise<void> {
  const name = objects.nameOf(key);
  if ((await objects.find(key))?.files[file] === undefined) return;
  const isChanged = await changeObject(objects, key, (files) => {
    const pem = new Secret(files[file] ?? '');
    if (isUnder(pem, next, name)) return undefined;
    return { ...files, [file]: encryptKey(openKey(pem, current, name), next).reveal() };
  });
  say(`${name}: ${isChanged ? 'encrypted with' : 'is already under'} the new password`);
}

function isUnder(pem: Secret, password: Secret, what: string): boolean {
  try {
    openKey(pem, password, what);
    return true;
  } catch (error) {
    if (isWrongPassword(error)) return false;
    throw error;
  }
}

/** Those that the old password opens; others have passwords of their own, as `autocert` does. */
async function renewProvisioners(objects: ClusterObjects, passwords: Required<Passwords>, say: Say): Promise<void> {
  const { current, next } = passwords;
  let renewed: string[] = [];
  await changeObject(objects, 'provisioners', async (files): Promise<Files | undefined> => {
    renewed = [];
    const list = await Promise.all(
      provisionersIn(files, objects).map(async (provisioner) => {
        if (!hasEncryptedKey(provisioner) || provisioner.name === Provisioner.autocert) return provisioner;
        try {
          const changed = await withNewPassword(provisioner, current, next);
          renewed.push(JSON.stringify(provisioner.name));
          return changed;
        } catch (error) {
          if (error instanceof AutocertError) return provisioner;
          throw error;
        }
      }),
    );
    return renewed.length > 0 ? provisionerFiles(list) : undefined;
  });
  const names =
    renewed.length > 0 ? `${renewed.join(', ')} encrypted with the new password` : 'none is under the old password';
  say(`${objects.nameOf('provisioners')}: ${names}`);
}

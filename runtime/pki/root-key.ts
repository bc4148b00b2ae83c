/**
 * The root's key for a command: that in the cluster, or that in a file of whoever runs the command.
 * @module
 */
import { PkiFile } from '../contract.ts';
import { AutocertError } from '../lib/errors.ts';
import type { Secret } from '../lib/secret.ts';
import { fingerprintOf, isKeyOf } from '../x509/certificate.ts';
import { openKey, type PasswordsToTry } from '../x509/private-key.ts';
import type { SigningCertificate } from '../x509/signing.ts';
import {
  type ClusterPki,
  type ObjectNames,
  openWithAny,
  type StoredObjects,
  sameCertificate,
  signerOf,
} from './cluster-pki.ts';
import { passwordsToTry } from './next-password.ts';
import { title } from './words.ts';

/** What `--root-key` and `--root-key-password-file` brought. */
export interface RootKeyFile {
  /** Its name, for errors. */
  readonly file: string;
  /** PEM, encrypted or not. */
  readonly pem: Secret;
  /** @default - the password of the CA's keys in the cluster */
  readonly password?: Secret;
}

/** PasswordsToTry of the CA's keys, the one for new keys first. @throws AutocertError `INVALID_CONFIG` when they are lost */
export function caPasswordsOf(objects: ObjectNames, stored: StoredObjects): PasswordsToTry {
  const found = stored.get('caPassword');
  if (found) return passwordsToTry(found.files);
  const name = objects.nameOf('caPassword');
  throw new AutocertError('INVALID_CONFIG', `${name} is missing: restore it from a backup (autocert pki restore)`);
}

/**
 * `root` with its key: of the file, if there is one, else of the cluster.
 * @throws AutocertError `INVALID_INPUT` when it is in neither, or the file holds another key; `WRONG_PASSWORD`
 */
export function requireSigner(
  objects: ObjectNames,
  { stored }: ClusterPki,
  root: string,
  given: RootKeyFile | undefined,
): SigningCertificate {
  const passwords = caPasswordsOf(objects, stored);
  const name = title(root);
  if (given === undefined) {
    const signer = signerOf(objects, stored, root, passwords);
    if (signer) return signer;
    throw new AutocertError(
      'INVALID_INPUT',
      `the key of ${name} is not in the cluster: give it by --root-key FILE (and --root-key-password-file, unless ${objects.nameOf('caPassword')} opens it)`,
    );
  }
  const key = given.password
    ? openKey(given.pem, given.password, given.file)
    : openWithAny(given.pem.reveal(), passwords, given.file);
  if (isKeyOf(key, root)) return { certificatePem: root, key };
  throw new AutocertError(
    'INVALID_INPUT',
    `${given.file} is not the key of ${name}, whose fingerprint is ${fingerprintOf(root)}: give that root's key`,
  );
}

/** Whether the root's key is in the cluster, as far as can be told without its password. */
export function isKeyInCluster(stored: StoredObjects, root: string): boolean {
  return (['nextRoot', 'rootKey'] as const).some((object) => {
    const files = stored.get(object)?.files;
    const copy = files?.[PkiFile.root];
    return files?.[PkiFile.rootKey] !== undefined && (copy === undefined || sameCertificate(copy, root));
  });
}

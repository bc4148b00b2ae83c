/**
 * A backup under a passphrase: standard JWE, so that `step crypto jwe decrypt` opens it too.
 * @module
 */
import { AutocertError } from '../lib/errors.ts';
import type { Secret } from '../lib/secret.ts';
import { decryptWithPassword, encryptWithPassword } from '../step-ca/password-jwe.ts';
import { type Backup, fromManifests, toManifests } from './backup.ts';

const ALGORITHM = 'PBES2-HS512+A256KW';
/** Protected header, encrypted key, initialization vector, ciphertext, tag (RFC 7516, §7.1). */
const JWE = /^[\w-]+(?:\.[\w-]+){4}$/;

/** The text of the backup's file. */
export async function sealBackup(backup: Backup, passphrase: Secret): Promise<string> {
  return `${await encryptWithPassword(toManifests(backup), passphrase, { alg: ALGORITHM, cty: 'json' })}\n`;
}

/** Whether the text of a file is encrypted; else it is a plain one. */
export const isSealed = (file: string) => !file.trimStart().startsWith('{');

/**
 * Opens what {@link sealBackup} gave.
 * @throws AutocertError `WRONG_PASSWORD`; `INVALID_INPUT` when it is no backup, or not all of one
 */
export async function openBackup(file: string, passphrase: Secret): Promise<Backup> {
  const jwe = file.trim();
  if (!JWE.test(jwe)) throw notSealed();
  const json = await decryptWithPassword(jwe, passphrase, [ALGORITHM]).catch(() => {
    throw notSealed();
  });
  if (json !== undefined) return fromManifests(json);
  throw new AutocertError('WRONG_PASSWORD', 'the passphrase does not open this file, or the file was changed');
}

const notSealed = () =>
  new AutocertError(
    'INVALID_INPUT',
    'this is no file of autocert pki backup, or its end is missing: take another copy',
  );

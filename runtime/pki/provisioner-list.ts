/**
 * The provisioners in the Secret `ca-provisioners`, as far as their keys are replaced.
 * @module
 */
import { PkiFile } from '../contract.ts';
import { AutocertError } from '../lib/errors.ts';
import type { Secret } from '../lib/secret.ts';
import { isRecord } from '../lib/validator.ts';
import { PROVISIONERS } from '../step-ca/ca-config.ts';
import { type JwkProvisioner, TokenSigner } from '../step-ca/one-time-token.ts';
import type { ConfiguredProvisioner } from '../step-ca/provisioner.ts';
import { firstThatOpens, isWrongPassword, type PasswordsToTry } from '../x509/private-key.ts';
import type { Files } from './cluster-objects.ts';
import type { ObjectNames } from './cluster-pki.ts';

/**
 * All provisioners, of whatever type.
 * @throws AutocertError `INVALID_CONFIG` when they are no list of provisioners
 */
export function provisionersIn(files: Files, objects: ObjectNames): readonly ConfiguredProvisioner[] {
  try {
    const list: unknown = JSON.parse(files[PkiFile.provisioners] ?? '');
    PROVISIONERS(list);
    return list as ConfiguredProvisioner[];
  } catch {
    // Not the error's own words: they quote the text, which holds keys.
    throw new AutocertError(
      'INVALID_CONFIG',
      `${objects.nameOf('provisioners')}: ${PkiFile.provisioners} is not a JSON list of provisioners, as step-ca's ca.json has it; put it right, or restore it from a backup`,
    );
  }
}

/** The files of the Secret for these provisioners. */
export function provisionerFiles(list: readonly ConfiguredProvisioner[]): Files {
  return { [PkiFile.provisioners]: JSON.stringify(list, null, 2) };
}

/** Whether it is a JWK provisioner whose private key is there, encrypted. */
export function hasEncryptedKey(provisioner: ConfiguredProvisioner): provisioner is JwkProvisioner {
  const { type, key, encryptedKey } = provisioner as Partial<JwkProvisioner>;
  return type === 'JWK' && isRecord(key) && typeof encryptedKey === 'string' && encryptedKey !== '';
}

/**
 * The JWK provisioner of this name.
 * @throws AutocertError `INVALID_CONFIG`, naming those that there are, when there is none
 */
export function provisionerNamed(name: string, list: readonly ConfiguredProvisioner[]): JwkProvisioner {
  const found = list.find((one) => one.name === name);
  if (found && hasEncryptedKey(found)) return found;
  const names = list.filter(hasEncryptedKey).map((one) => JSON.stringify(one.name));
  throw new AutocertError(
    'INVALID_CONFIG',
    `the CA has no JWK provisioner ${JSON.stringify(name)} with an encryptedKey, it has ${names.join(', ') || 'none'}`,
  );
}

/**
 * Which of the passwords opens the provisioner's key.
 * @throws AutocertError `INVALID_CONFIG`, `UNTRUSTED`: it is no key under a password
 */
export async function passwordOf(provisioner: JwkProvisioner, passwords: PasswordsToTry): Promise<Secret | undefined> {
  try {
    return await firstThatOpens(passwords, async (password) => {
      await TokenSigner.open(provisioner, password);
      return password;
    });
  } catch (error) {
    if (isWrongPassword(error)) return undefined;
    throw error;
  }
}

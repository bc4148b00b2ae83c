/**
 * Private keys under a password: PKCS#8 with PBES2 (AES-256-CBC, PBKDF2 with HMAC-SHA-256), which step-ca, `step` and
 * OpenSSL read.
 * @module
 */
import { createPrivateKey, generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { AutocertError } from '../lib/errors.ts';
import { Secret } from '../lib/secret.ts';

const generate = promisify(generateKeyPair);

/** A new EC P-256 key pair's private key. */
export async function createKey(): Promise<KeyObject> {
  return (await generate('ec', { namedCurve: 'P-256' })).privateKey;
}

/**
 * The key as PEM under a password. OpenSSL derives with 2,048 rounds, which is few for a password that a person thought
 * of: use it with the 32 random characters that the PKI makes.
 */
export function encryptKey(key: KeyObject, password: Secret): Secret {
  const pem = key.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: password.reveal() });
  return new Secret(pem.toString());
}

/**
 * Opens a PEM key, encrypted or not; `what` names it in the error.
 * @throws AutocertError `WRONG_PASSWORD`; `INVALID_CONFIG` when it is no key at all.
 */
export function openKey(pem: Secret, password: Secret, what: string): KeyObject {
  try {
    return createPrivateKey({ key: pem.reveal(), passphrase: password.reveal() });
  } catch (cause) {
    // Of some wrong passwords OpenSSL says that the key is malformed: the noise it decrypted to looked padded.
    if (/ENCRYPTED/.test(pem.reveal())) {
      throw new AutocertError('WRONG_PASSWORD', `the password does not open ${what}`);
    }
    throw new AutocertError('INVALID_CONFIG', `${what} is not a private key in PEM`, { cause });
  }
}

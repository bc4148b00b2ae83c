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

/** Passwords, in the order in which they are tried. */
export type PasswordsToTry = readonly [Secret, ...Secret[]];

/** Whether this says of a password that it does not open what it was given for. */
export const isWrongPassword = (error: unknown) => error instanceof AutocertError && error.code === 'WRONG_PASSWORD';

/**
 * What `open` gives, or the promise that it gives, for the first password that is not a wrong one.
 * @throws AutocertError `WRONG_PASSWORD`, of the last password; whatever else `open` throws, at once
 */
export function firstThatOpens<T>([password, ...others]: PasswordsToTry, open: (password: Secret) => T): T {
  const goOn = (error: unknown): T => {
    const [next, ...more] = others;
    if (next === undefined || !isWrongPassword(error)) throw error;
    return firstThatOpens([next, ...more], open);
  };
  try {
    const opened = open(password);
    return opened instanceof Promise ? (opened.catch(goOn) as T) : opened;
  } catch (error) {
    return goOn(error);
  }
}

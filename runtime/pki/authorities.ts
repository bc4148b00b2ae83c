/**
 * The two certificates of a PKI and the passwords of its keys. Pure but for random numbers.
 * @module
 */
import { type KeyObject, randomInt } from 'node:crypto';
import { AutocertError } from '../lib/errors.ts';
import { Secret } from '../lib/secret.ts';
import { BACKDATE_MS, MAX_COMMON_NAME } from '../policy/lifetimes.ts';
import { createAuthority, type SigningCertificate } from '../x509/signing.ts';

/** What both certificates are made from. */
export interface AuthorityIdentity {
  /** Organization and first word of the common names, such as `Autocert`. */
  readonly name: string;
  readonly key: KeyObject;
  readonly now: Date;
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const PASSWORD_LENGTH = 32;
/** ` Intermediate CA` still has to fit into a common name behind it. */
const MAX_NAME = MAX_COMMON_NAME - ' Intermediate CA'.length;
const LIFETIME_MS = 10 * 365 * 24 * 3_600_000;

/** 32 letters and digits, 190 bits: it survives shells, YAML and a reading over the telephone. */
export function createPassword(): Secret {
  return new Secret(Array.from({ length: PASSWORD_LENGTH }, () => ALPHABET[randomInt(ALPHABET.length)]).join(''));
}

/**
 * The root certificate, valid for ten years; one level of intermediates may follow.
 * @throws AutocertError `INVALID_INPUT` when the name is empty, or too long for the common names
 */
export async function createRoot({ name, key, now }: AuthorityIdentity): Promise<string> {
  if (name.trim() === '' || name.length > MAX_NAME) {
    throw new AutocertError(
      'INVALID_INPUT',
      `the CA's name has to have 1 to ${MAX_NAME} characters, not ${name.length}`,
    );
  }
  return createAuthority({
    organization: name,
    commonName: `${name} Root CA`,
    pathLength: 1,
    key,
    ...validityFrom(now),
  });
}

/** The intermediate certificate, valid for ten years; it signs leaves only. */
export function createIntermediate({ name, key, now }: AuthorityIdentity, root: SigningCertificate): Promise<string> {
  return createAuthority({
    organization: name,
    commonName: `${name} Intermediate CA`,
    pathLength: 0,
    key,
    issuer: root,
    ...validityFrom(now),
  });
}

function validityFrom(now: Date) {
  return { notBefore: new Date(+now - BACKDATE_MS), notAfter: new Date(+now + LIFETIME_MS) };
}

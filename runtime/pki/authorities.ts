/**
 * The two certificates of a PKI and the passwords of its keys. Pure but for random numbers.
 * @module
 */
import { type KeyObject, randomInt } from 'node:crypto';
import { Secret } from '../lib/secret.ts';
import { createAuthority, type Issuer } from '../x509/signing.ts';

/** What both certificates are made from. */
export interface AuthorityIdentity {
  /** Organization and first word of the common names, such as `Autocert`. */
  readonly name: string;
  readonly key: KeyObject;
  readonly now: Date;
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const PASSWORD_LENGTH = 32;
/** Certificates are valid a minute before they are made, for clocks differ. */
const BACKDATE_MS = 60_000;
const LIFETIME_MS = 10 * 365 * 24 * 3_600_000;

/** 32 letters and digits, 190 bits: it survives shells, YAML and a reading over the telephone. */
export function createPassword(): Secret {
  return new Secret(Array.from({ length: PASSWORD_LENGTH }, () => ALPHABET[randomInt(ALPHABET.length)]).join(''));
}

/** The root certificate, valid for ten years; one level of intermediates may follow. */
export function createRoot({ name, key, now }: AuthorityIdentity): Promise<string> {
  return createAuthority({
    organization: name,
    commonName: `${name} Root CA`,
    pathLength: 1,
    key,
    ...validityFrom(now),
  });
}

/** The intermediate certificate, valid for ten years; it signs leaves only. */
export function createIntermediate({ name, key, now }: AuthorityIdentity, root: Issuer): Promise<string> {
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

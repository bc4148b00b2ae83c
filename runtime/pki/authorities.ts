/**
 * The certificates of a PKI's authorities (root, intermediate, the cross certificate of a new root) and the passwords of
 * their keys; and how long each lasts. Pure but for random numbers.
 * @module
 */
import { type KeyObject, randomInt } from 'node:crypto';
import { AutocertError } from '../lib/errors.ts';
import { Secret } from '../lib/secret.ts';
import { BACKDATE_MS, MAX_COMMON_NAME } from '../policy/lifetimes.ts';
import { type Validity, validityOf } from '../x509/certificate.ts';
import {
  type AuthorityName,
  authorityNameOf,
  createAuthority,
  createCrossCertificate,
  pathLengthOf,
  type SigningCertificate,
} from '../x509/signing.ts';

/** What root and intermediate are made from. */
export interface AuthorityIdentity {
  /** Organization and first word of the common names, such as `Autocert`. */
  readonly name: string;
  readonly key: KeyObject;
  readonly now: Date;
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const PASSWORD_LENGTH = 32;
/** Longest name of a CA: ` Intermediate CA` still has to fit into a common name behind it. */
export const MAX_NAME = MAX_COMMON_NAME - ' Intermediate CA'.length;
const DAY_MS = 24 * 3_600_000;
const YEAR_MS = 365 * DAY_MS;
/** How long a root and an intermediate last. */
const LIFETIME_MS = { root: 10 * YEAR_MS, intermediate: 2 * YEAR_MS } as const;
/** A root with less than this left is to be replaced: an intermediate of full length no longer fits under it. */
export const ROOT_NOTICE_MS = 2 * YEAR_MS;
/** A new intermediate has to last this much longer than the old one: under a root that ends soon it cannot. */
const LEAST_GAIN_MS = 30 * DAY_MS;
/** Below a root: the root of a later rotation (its cross certificate), then the intermediate. */
const ROOT_PATH_LENGTH = 2;
/** Below the cross certificate: the intermediate. */
export const CROSS_PATH_LENGTH = 1;

/** 32 letters and digits, 190 bits: it survives shells, YAML and a reading over the telephone. */
export function createPassword(): Secret {
  return new Secret(Array.from({ length: PASSWORD_LENGTH }, () => ALPHABET[randomInt(ALPHABET.length)]).join(''));
}

/**
 * The root certificate, valid for ten years.
 * @throws AutocertError `INVALID_INPUT` when the name is empty, or too long for the common names
 */
export async function createRoot({ name, key, now }: AuthorityIdentity): Promise<string> {
  if (name.trim() === '' || name.length > MAX_NAME) {
    throw new AutocertError(
      'INVALID_INPUT',
      `the CA's name has to have 1 to ${MAX_NAME} characters, not ${name.length}`,
    );
  }
  return rootCertificate({ organization: name, commonName: `${name} Root CA` }, key, now);
}

/**
 * The root that replaces `old`, valid for ten years. It has a name of its own (`Autocert Root CA 2` after
 * `Autocert Root CA`), so that people and programs that find issuers by name tell them apart.
 *
 * Only where `old` allows for no CA certificate but the intermediate below it (`pathlen:1`, as `step ca init` makes roots
 * and we once did) it takes the old one's name: its cross certificate is then self-issued, and those do not count
 * (RFC 5280, §4.2.1.9). OpenSSL and Node go by that; Go does not.
 */
export function createNextRoot(old: string, key: KeyObject, now: Date): Promise<string> {
  const name = authorityNameOf(old);
  const hasRoom = pathLengthOf(old) > CROSS_PATH_LENGTH;
  return rootCertificate(hasRoom ? { ...name, commonName: nextName(name.commonName) } : { subjectOf: old }, key, now);
}

/** The next root's name and key, signed by the old root, and valid until the first of the two expires. */
export function createCross(next: string, old: SigningCertificate): Promise<string> {
  const [{ notBefore, notAfter }, ofOld] = [validityOf(next), validityOf(old.certificatePem)];
  return createCrossCertificate({
    of: next,
    issuer: old,
    pathLength: CROSS_PATH_LENGTH,
    notBefore,
    notAfter: earlier(notAfter, ofOld.notAfter),
  });
}

/**
 * The intermediate certificate, which signs leaves only; valid for two years, and never longer than `root`.
 * @param nameConstraints value of the extension; absent: it may sign any name
 */
export function createIntermediate(
  { name, key, now }: AuthorityIdentity,
  root: SigningCertificate,
  nameConstraints?: Uint8Array,
): Promise<string> {
  return createAuthority({
    organization: name,
    commonName: `${name} Intermediate CA`,
    pathLength: 0,
    key,
    issuer: root,
    nameConstraints,
    ...intermediateValidity(root.certificatePem, now),
  });
}

/**
 * Since when an intermediate is to be replaced: the middle of its life. `undefined`: never, because it lasts as long as
 * its root allows, so that only a new root helps.
 */
export function renewalDateOf(intermediate: string, root: string): Date | undefined {
  const { notBefore, notAfter } = validityOf(intermediate);
  const middle = new Date((+notBefore + +notAfter) / 2);
  const next = intermediateValidity(root, middle);
  return +next.notAfter - +notAfter >= LEAST_GAIN_MS ? middle : undefined;
}

function intermediateValidity(root: string, now: Date): Validity {
  const own = validityFrom(now, LIFETIME_MS.intermediate);
  return { ...own, notAfter: earlier(own.notAfter, validityOf(root).notAfter) };
}

function rootCertificate(subject: AuthorityName | { subjectOf: string }, key: KeyObject, now: Date): Promise<string> {
  const options = { pathLength: ROOT_PATH_LENGTH, key, ...validityFrom(now, LIFETIME_MS.root) };
  return createAuthority({ ...subject, ...options });
}

/** Its number one up; it gets one where it has none. */
function nextName(commonName: string): string {
  const [, words = commonName, number = '1'] = /^(.*) (\d{1,6})$/.exec(commonName) ?? [];
  const end = ` ${Number(number) + 1}`;
  return `${words.slice(0, MAX_COMMON_NAME - end.length)}${end}`;
}

const earlier = (one: Date, other: Date) => (one < other ? one : other);

function validityFrom(now: Date, lifetimeMs: number): Validity {
  return { notBefore: new Date(+now - BACKDATE_MS), notAfter: new Date(+now + lifetimeMs) };
}

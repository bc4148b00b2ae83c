/**
 * One-time tokens: the JWTs that a JWK provisioner of step-ca accepts instead of a password, and the keys that sign them.
 * With `password-jwe.ts` all that imports `jose`.
 * @module
 */
import { createHash, type JsonWebKey, randomBytes } from 'node:crypto';
import {
  calculateJwkThumbprint,
  decodeJwt,
  decodeProtectedHeader,
  errors,
  exportJWK,
  generateKeyPair,
  importJWK,
  jwtVerify,
  SignJWT,
} from 'jose';
import { AutocertError, messageOf } from '../lib/errors.ts';
import { Secret } from '../lib/secret.ts';
import { decryptWithPassword, encryptWithPassword, type PasswordAlgorithm } from './password-jwe.ts';
import type { ConfiguredProvisioner } from './provisioner.ts';

/** A JWK provisioner as step-ca's configuration and its `/provisioners` have it. */
export interface JwkProvisioner extends ConfiguredProvisioner {
  readonly type: 'JWK';
  /** Public key; `kid` is its RFC 7638 thumbprint. */
  readonly key: JsonWebKey & { readonly kid: string };
  /** The private key, a JWE under the provisioner's password. */
  readonly encryptedKey: string;
}

/** What a verified token says. */
export interface TokenClaims {
  readonly provisioner: JwkProvisioner;
  /** Common name of a certificate to sign, serial number of one to revoke. */
  readonly subject: string;
  /** Names the certificate gets; never empty (tokens of old clients have none: then it is the subject). */
  readonly sans: readonly string[];
  /** What must not be seen twice: the token's `jti`, else the hash of the token. */
  readonly id: string;
  readonly expiresAt: Date;
  /** base64url SHA-256 of the only certificate request that the token is good for. */
  readonly csrFingerprint?: string;
}

/** Input of {@link TokenSigner.mint}. */
export interface MintOptions {
  /** Common name. */
  readonly subject: string;
  readonly sans: readonly string[];
  /** Base URL of the CA; its `/1.0/sign` becomes the audience. */
  readonly caUrl: string;
  /** SHA-256 of the root certificate, hex; clients that know no root yet pin it. */
  readonly rootFingerprint: string;
  /** base64url SHA-256 of the certificate request that the token is bound to; absent: any request. */
  readonly csrFingerprint?: string;
  /** @default 300 */
  readonly lifetimeSeconds?: number;
  /** @default - the clock's time */
  readonly now?: Date;
}

/** Clocks may differ by so much, in seconds: step-ca's own tolerance. */
const LEEWAY_SECONDS = 60;
const MAX_TOKEN_LENGTH = 16_384;
const DEFAULT_LIFETIME_SECONDS = 300;
const PASSWORD_ALGORITHMS: readonly PasswordAlgorithm[] = [
  'PBES2-HS256+A128KW',
  'PBES2-HS384+A192KW',
  'PBES2-HS512+A256KW',
];
const ALGORITHM_OF_CURVE: Readonly<Record<string, string>> = {
  'P-256': 'ES256',
  'P-384': 'ES384',
  'P-521': 'ES512',
  Ed25519: 'EdDSA',
};

/** Signs one-time tokens with the key of one provisioner. */
export class TokenSigner {
  /** Name of the provisioner. */
  readonly issuer: string;
  /** Id of its key. */
  readonly kid: string;
  readonly #algorithm: string;
  readonly #key: SigningKey;

  private constructor(provisioner: JwkProvisioner, key: SigningKey) {
    this.issuer = provisioner.name;
    this.kid = provisioner.key.kid;
    this.#algorithm = algorithmOf(provisioner.key);
    this.#key = key;
  }

  /**
   * Opens the provisioner's key.
   * @throws AutocertError `WRONG_PASSWORD`; `UNTRUSTED` when the key is not that of the provisioner's public key.
   */
  static async open(provisioner: JwkProvisioner, password: Secret): Promise<TokenSigner> {
    const jwk = await decryptKey(provisioner, password);
    if ((await thumbprint(jwk)) !== (await thumbprint(provisioner.key))) {
      throw new AutocertError(
        'UNTRUSTED',
        `provisioner ${JSON.stringify(provisioner.name)}: its encryptedKey holds another key than its public key; take both from the same CA`,
      );
    }
    return new TokenSigner(provisioner, await importJWK(jwk, algorithmOf(provisioner.key)));
  }

  /** A token that is good for one certificate with exactly these names. */
  async mint(options: MintOptions): Promise<Secret> {
    const issuedAt = Math.floor(+(options.now ?? new Date()) / 1000);
    const claims = {
      sans: [...options.sans],
      sha: options.rootFingerprint,
      ...(options.csrFingerprint === undefined ? {} : { cnf: { 'x5rt#S256': options.csrFingerprint } }),
    };
    const token = await new SignJWT(claims)
      .setProtectedHeader({ alg: this.#algorithm, kid: this.kid, typ: 'JWT' })
      .setAudience(`${options.caUrl.replace(/\/+$/, '')}/1.0/sign`)
      .setIssuer(this.issuer)
      .setSubject(options.subject)
      .setJti(randomBytes(32).toString('hex'))
      .setIssuedAt(issuedAt)
      .setNotBefore(issuedAt)
      .setExpirationTime(issuedAt + (options.lifetimeSeconds ?? DEFAULT_LIFETIME_SECONDS))
      .sign(this.#key);
    return new Secret(token);
  }
}

type SigningKey = Awaited<ReturnType<typeof importJWK>>;

/** A new provisioner (EC P-256), its private key encrypted with `password` as `step` does it. */
export async function createProvisioner(name: string, password: Secret): Promise<JwkProvisioner> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  const { kty, crv, x, y, d } = await exportJWK(privateKey);
  const kid = await thumbprint({ kty, crv, x, y } as JsonWebKey);
  const key = { use: 'sig', kty: 'EC', kid, crv: 'P-256', alg: 'ES256', x, y };
  const encryptedKey = await encryptJwk({ ...key, d } as JsonWebKey, password);
  return { type: 'JWK', name, key: key as JwkProvisioner['key'], encryptedKey };
}

/**
 * The same provisioner, its private key under another password.
 * @throws AutocertError `WRONG_PASSWORD` when `password` does not open it
 */
export async function withNewPassword<P extends JwkProvisioner>(
  provisioner: P,
  password: Secret,
  next: Secret,
): Promise<P> {
  return { ...provisioner, encryptedKey: await encryptJwk(await decryptKey(provisioner, password), next) };
}

/**
 * Checks a token's signature, issuer, time and audience. An `audience` expression has to match the whole audience.
 * @throws AutocertError `UNAUTHENTICATED`, saying which of these is wrong.
 */
export async function verifyToken(
  token: string,
  provisioners: readonly JwkProvisioner[],
  options: { readonly audience: RegExp | readonly string[]; readonly now: Date },
): Promise<TokenClaims> {
  const { issuer, kid } = identify(token);
  const provisioner = provisioners.find(({ name, key }) => name === issuer && key.kid === kid);
  if (provisioner === undefined) {
    throw refused(`no provisioner ${quote(issuer)} with key ${quote(kid)} is known to this CA`);
  }
  const algorithm = algorithmOf(provisioner.key);
  const { payload } = await jwtVerify(token, await importJWK(provisioner.key, algorithm), {
    algorithms: [algorithm],
    issuer: provisioner.name,
    currentDate: options.now,
    clockTolerance: LEEWAY_SECONDS,
    requiredClaims: ['exp', 'sub'],
  }).catch((error: unknown) => {
    throw refused(reasonOf(error));
  });
  const audiences = [payload.aud ?? []].flat();
  const { audience } = options;
  const matches = (value: string) =>
    audience instanceof RegExp ? audience.exec(value)?.[0] === value : audience.includes(value);
  if (!audiences.some(matches)) throw refused(`audience ${quote(audiences.join(', '))} is not an address of this CA`);
  if (!payload.sub) throw refused('subject is empty');
  const { sans, cnf } = payload as { sans?: unknown; cnf?: { 'x5rt#S256'?: unknown } };
  if (sans !== undefined && !(Array.isArray(sans) && sans.every((name) => typeof name === 'string'))) {
    throw refused('claim sans is not a list of names');
  }
  const fingerprint = cnf?.['x5rt#S256'];
  if (fingerprint !== undefined && typeof fingerprint !== 'string') throw refused('claim cnf is not a fingerprint');
  return {
    provisioner,
    subject: payload.sub,
    sans: sans?.length ? sans : [payload.sub],
    id: payload.jti || createHash('sha256').update(token).digest('hex'),
    expiresAt: new Date((payload.exp ?? 0) * 1000),
    ...(fingerprint ? { csrFingerprint: fingerprint } : {}),
  };
}

/** Who claims to have signed it: nothing of this is verified yet. */
function identify(token: string): { issuer: string; kid: string } {
  if (token.length > MAX_TOKEN_LENGTH) throw refused(`longer than ${MAX_TOKEN_LENGTH} characters`);
  try {
    return { issuer: decodeJwt(token).iss ?? '', kid: decodeProtectedHeader(token).kid ?? '' };
  } catch {
    throw refused('not a JWT');
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof errors.JWTExpired) return 'expired';
  if (error instanceof errors.JWTClaimValidationFailed) {
    return error.claim === 'nbf' ? 'not valid yet' : `claim ${error.claim}: ${error.message}`;
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) return "not signed with the provisioner's key";
  return messageOf(error);
}

const refused = (reason: string) => new AutocertError('UNAUTHENTICATED', `one-time token: ${reason}`);

const quote = (text: string) => JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text);

const thumbprint = (jwk: JsonWebKey) => calculateJwkThumbprint(jwk as Parameters<typeof calculateJwkThumbprint>[0]);

const encryptJwk = (jwk: JsonWebKey, password: Secret) =>
  encryptWithPassword(JSON.stringify(jwk), password, { alg: 'PBES2-HS256+A128KW', cty: 'jwk+json' });

async function decryptKey(provisioner: JwkProvisioner, password: Secret): Promise<JsonWebKey> {
  const name = JSON.stringify(provisioner.name);
  if (!provisioner.encryptedKey) {
    throw new AutocertError(
      'INVALID_CONFIG',
      `provisioner ${name} has no encryptedKey: its private key is kept elsewhere; use a provisioner that has one`,
    );
  }
  const text = await decryptWithPassword(provisioner.encryptedKey, password, PASSWORD_ALGORITHMS).catch((cause) => {
    const problem = `encryptedKey of provisioner ${name} is not a key under a password`;
    throw new AutocertError('INVALID_CONFIG', problem, { cause });
  });
  if (text === undefined) {
    throw new AutocertError('WRONG_PASSWORD', `the password does not open the key of provisioner ${name}`);
  }
  try {
    return JSON.parse(text);
  } catch {
    throw new AutocertError('INVALID_CONFIG', `encryptedKey of provisioner ${name} does not contain a JSON Web Key`);
  }
}

/** The signature algorithm of a public key: of the key, never of the token. */
function algorithmOf(key: JsonWebKey): string {
  const { alg, crv, kty } = key as { alg?: string; crv?: string; kty?: string };
  const algorithm = alg ?? ALGORITHM_OF_CURVE[crv ?? ''] ?? (kty === 'RSA' ? 'RS256' : undefined);
  if (algorithm === undefined || kty === 'oct') {
    throw new AutocertError(
      'INVALID_CONFIG',
      `provisioner key of type ${kty} ${crv ?? ''} cannot sign tokens; use EC P-256`,
    );
  }
  return algorithm;
}

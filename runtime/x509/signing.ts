/**
 * Makes certificates: root, intermediate, leaves as step-ca shapes them; and reads certificate requests.
 * The one file that imports `@peculiar/x509`.
 * @module
 */
import 'reflect-metadata'; // @peculiar/x509 does not load without it
import { createHash, createPublicKey, type KeyObject, randomBytes } from 'node:crypto';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  Extension,
  type JsonGeneralNames,
  KeyUsageFlags,
  KeyUsagesExtension,
  Name,
  Pkcs10CertificateRequest,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';
import { encode, integer, sequence } from './der.ts';
import { AutocertError } from '../lib/errors.ts';
import { STEP_PROVISIONER_OID } from './extension-description.ts';
import { signatureOf, weaknessOf } from './key-algorithms.ts';
import { type SanList, splitSans } from './sans.ts';

/** A certificate that signs others, with its private key. */
export interface Issuer {
  readonly certificatePem: string;
  readonly key: KeyObject;
}

/** When a certificate to be made is valid; whole seconds count. */
export interface ValidityPeriod {
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/** Input of {@link createAuthority}. */
export interface AuthorityOptions extends ValidityPeriod {
  readonly organization: string;
  readonly commonName: string;
  /** How many CA certificates may follow below this one. */
  readonly pathLength: number;
  /** Its key pair. */
  readonly key: KeyObject;
  /** Who signs it; absent: it signs itself. */
  readonly issuer?: Issuer;
}

/** Input of {@link createLeaf}. */
export interface LeafOptions extends ValidityPeriod {
  readonly commonName: string;
  /** DNS names, IP addresses, email addresses, URIs. */
  readonly sans: readonly string[];
  readonly publicKey: KeyObject;
  readonly issuer: Issuer;
  /** Goes into step's extension, which says who vouched for the names. */
  readonly provisioner?: ProvisionerReference;
}

/** A JWK provisioner as certificates refer to it. */
export interface ProvisionerReference {
  readonly name: string;
  /** Id of its key. */
  readonly credentialId: string;
}

/** A certificate request whose signature is good. */
export interface CertificateRequest {
  readonly publicKey: KeyObject;
  /** Empty when the request has none. */
  readonly commonName: string;
  readonly sans: SanList;
  /** SHA-256 of its DER, base64url. */
  readonly fingerprint: string;
}

const OID = {
  subjectKeyIdentifier: '2.5.29.14',
  subjectAlternativeName: '2.5.29.17',
  authorityKeyIdentifier: '2.5.29.35',
} as const;

type Bytes = Uint8Array<ArrayBuffer>;

/** step-ca's number for provisioners of type JWK. */
const JWK_TYPE = 1n;
const MAX_REQUEST_LENGTH = 32_768;

/** A root or intermediate certificate, PEM. */
export async function createAuthority(options: AuthorityOptions): Promise<string> {
  const subject = new Name([{ O: [options.organization] }, { CN: [options.commonName] }]);
  const spki = spkiOf(options.key);
  const extensions: Extension[] = [
    new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    new BasicConstraintsExtension(true, options.pathLength, true),
    await SubjectKeyIdentifierExtension.create(spki),
  ];
  if (options.issuer) extensions.push(authorityKeyIdentifier(options.issuer));
  return certificate({
    subject,
    issuerName: options.issuer ? read(options.issuer.certificatePem).subjectName : subject,
    spki,
    validity: options,
    extensions,
    signingKey: options.issuer?.key ?? options.key,
  });
}

/** A certificate for a server and client, PEM, shaped as step-ca's default template has it. */
export async function createLeaf(options: LeafOptions): Promise<string> {
  const { issuer, provisioner } = options;
  const rsa = options.publicKey.asymmetricKeyType === 'rsa';
  const usages = KeyUsageFlags.digitalSignature | (rsa ? KeyUsageFlags.keyEncipherment : 0);
  const spki = spkiOf(options.publicKey);
  const extensions: Extension[] = [
    new KeyUsagesExtension(usages, true),
    new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
    await SubjectKeyIdentifierExtension.create(spki),
    authorityKeyIdentifier(issuer),
    // Critical only where there is no other name: RFC 5280, 4.2.1.6.
    new SubjectAlternativeNameExtension(generalNames(splitSans(options.sans)), options.commonName === ''),
  ];
  if (provisioner) extensions.push(new Extension(STEP_PROVISIONER_OID, false, provisionerExtension(provisioner)));
  return certificate({
    subject: new Name(options.commonName ? [{ CN: [options.commonName] }] : []),
    issuerName: read(issuer.certificatePem).subjectName,
    spki,
    validity: options,
    extensions,
    signingKey: issuer.key,
  });
}

/** The same certificate again, for another time and, when `publicKey` is given, for another key. */
export async function renewLeaf(
  pem: string,
  options: ValidityPeriod & { readonly issuer: Issuer; readonly publicKey?: KeyObject },
): Promise<string> {
  const old = read(pem);
  const spki = options.publicKey ? spkiOf(options.publicKey) : new Uint8Array(old.publicKey.rawData);
  const replaced = new Map<string, Extension>([
    [OID.subjectKeyIdentifier, await SubjectKeyIdentifierExtension.create(spki)],
    [OID.authorityKeyIdentifier, authorityKeyIdentifier(options.issuer)],
  ]);
  return certificate({
    subject: old.subjectName,
    issuerName: read(options.issuer.certificatePem).subjectName,
    spki,
    validity: options,
    extensions: old.extensions.map((extension) => replaced.get(extension.type) ?? extension),
    signingKey: options.issuer.key,
  });
}

/**
 * Reads a PKCS#10 request, PEM, and verifies its signature.
 * @throws AutocertError `INVALID_INPUT` when it is none, does not verify, or its key is too weak.
 */
export async function readCertificateRequest(pem: string): Promise<CertificateRequest> {
  const request = parseRequest(pem);
  const verified = await request.verify().catch(() => false);
  if (!verified) throw badRequest('its signature does not verify');
  const publicKey = createPublicKey({ key: Buffer.from(request.publicKey.rawData), format: 'der', type: 'spki' });
  const weakness = weaknessOf(publicKey);
  if (weakness) throw badRequest(weakness);
  const names = request.getExtension(OID.subjectAlternativeName) as SubjectAlternativeNameExtension | null;
  return {
    publicKey,
    commonName: request.subjectName.getField('CN')[0] ?? '',
    sans: splitSans(names?.names.items.map(({ value }) => value) ?? []),
    fingerprint: createHash('sha256').update(Buffer.from(request.rawData)).digest('base64url'),
  };
}

/** In the order in which Go, and so step-ca, writes them. */
function generalNames({ dns, email, ip, url }: SanList): JsonGeneralNames {
  const typed = (type: 'dns' | 'email' | 'ip' | 'url', values: readonly string[]) =>
    values.map((value) => ({ type, value }));
  return [...typed('dns', dns), ...typed('email', email), ...typed('ip', ip), ...typed('url', url)];
}

function provisionerExtension({ name, credentialId }: ProvisionerReference): Bytes {
  const octets = (text: string) => encode(0x04, Buffer.from(text));
  return new Uint8Array(sequence(integer(JWK_TYPE), octets(name), octets(credentialId)));
}

/** Names the issuer's key as the issuer itself does: an older CA may have computed its identifier in another way. */
function authorityKeyIdentifier(issuer: Issuer): AuthorityKeyIdentifierExtension {
  const own = read(issuer.certificatePem).getExtension(
    OID.subjectKeyIdentifier,
  ) as SubjectKeyIdentifierExtension | null;
  if (own === null) {
    throw new AutocertError('INVALID_CONFIG', 'the CA certificate has no subject key identifier (RFC 5280, 4.2.1.2)');
  }
  return new AuthorityKeyIdentifierExtension(own.keyId);
}

interface Parts {
  readonly subject: Name;
  readonly issuerName: Name;
  readonly spki: Bytes;
  readonly validity: ValidityPeriod;
  readonly extensions: Extension[];
  readonly signingKey: KeyObject;
}

async function certificate(parts: Parts): Promise<string> {
  const { algorithm, hash } = signatureOf(parts.signingKey);
  const made = await X509CertificateGenerator.create({
    serialNumber: randomBytes(16).toString('hex'),
    subject: parts.subject,
    issuer: parts.issuerName,
    notBefore: wholeSeconds(parts.validity.notBefore),
    notAfter: wholeSeconds(parts.validity.notAfter),
    publicKey: parts.spki,
    // The same class under two type declarations (Node's, the DOM's).
    signingKey: parts.signingKey.toCryptoKey(algorithm, false, ['sign']) as CryptoKey,
    signingAlgorithm: { name: algorithm.name, hash },
    extensions: parts.extensions,
  });
  return `${made.toString('pem')}\n`;
}

const wholeSeconds = (date: Date) => new Date(Math.floor(+date / 1000) * 1000);

function spkiOf(key: KeyObject): Bytes {
  return new Uint8Array((key.type === 'private' ? createPublicKey(key) : key).export({ type: 'spki', format: 'der' }));
}

function read(pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    throw new AutocertError('INVALID_INPUT', 'not a PEM certificate', { cause });
  }
}

function parseRequest(pem: string): Pkcs10CertificateRequest {
  if (pem.length > MAX_REQUEST_LENGTH) throw badRequest(`longer than ${MAX_REQUEST_LENGTH} characters`);
  if (!/-----BEGIN (NEW )?CERTIFICATE REQUEST-----/.test(pem)) throw badRequest('not PEM (BEGIN CERTIFICATE REQUEST)');
  try {
    return new Pkcs10CertificateRequest(pem);
  } catch (cause) {
    throw badRequest('not PKCS#10', cause);
  }
}

function badRequest(problem: string, cause?: unknown): AutocertError {
  return new AutocertError('INVALID_INPUT', `certificate request: ${problem}`, cause === undefined ? {} : { cause });
}

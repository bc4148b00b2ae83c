/**
 * Makes certificates: root, intermediate, and leaves as step-ca shapes them.
 * The one file that imports `@peculiar/x509`.
 * @module
 */
import 'reflect-metadata'; // @peculiar/x509 does not load without it
import { createPublicKey, type KeyObject, randomBytes, webcrypto } from 'node:crypto';
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
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';
import { AutocertError } from '../lib/errors.ts';
import { encode, integer, sequence } from './der.ts';
import { STEP_PROVISIONER_OID } from './extension-description.ts';
import { signatureOf } from './key-algorithms.ts';
import { NAME_CONSTRAINTS_OID } from './name-constraints.ts';
import { type SanList, splitSans } from './sans.ts';

/** A certificate that signs others, with its private key. */
export interface SigningCertificate {
  readonly certificatePem: string;
  readonly key: KeyObject;
}

/** When a certificate to be made is valid; whole seconds count. */
export interface ValidityPeriod {
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/** Subject of a root or an intermediate. */
export interface AuthorityName {
  readonly organization: string;
  readonly commonName: string;
}

/** Input of {@link createAuthority}. */
export type AuthorityOptions = AuthorityParts & (AuthorityName | { readonly subjectOf: string });

/** What every {@link AuthorityOptions} has beside its name, or the certificate (PEM) whose name it takes. */
interface AuthorityParts extends ValidityPeriod {
  /** How many CA certificates may follow below this one. */
  readonly pathLength: number;
  /** Its key pair. */
  readonly key: KeyObject;
  /** Who signs it; absent: it signs itself. */
  readonly issuer?: SigningCertificate;
  /** Value of the extension of that name, DER. Absent: its certificates may have any name. */
  readonly nameConstraints?: Uint8Array | undefined;
}

/** Input of {@link createLeaf}. */
export interface LeafOptions extends ValidityPeriod {
  /** Absent: the subject is empty, and the SAN critical. */
  readonly commonName?: string;
  /** DNS names, IP addresses, email addresses, URIs. */
  readonly sans: readonly string[];
  readonly publicKey: KeyObject;
  readonly issuer: SigningCertificate;
  /** Goes into step's extension, which says who vouched for the names. */
  readonly provisioner?: ProvisionerReference;
}

/** A JWK provisioner as certificates refer to it. */
export interface ProvisionerReference {
  readonly name: string;
  /** Id of its key. */
  readonly credentialId: string;
}

const OID = {
  subjectKeyIdentifier: '2.5.29.14',
  authorityKeyIdentifier: '2.5.29.35',
} as const;

type Bytes = Uint8Array<ArrayBuffer>;

/** step-ca's number for provisioners of type JWK. */
const JWK_TYPE = 1n;

/** A root or intermediate certificate, PEM. */
export async function createAuthority(options: AuthorityOptions): Promise<string> {
  const subject =
    'subjectOf' in options
      ? read(options.subjectOf).subjectName
      : new Name([{ O: [options.organization] }, { CN: [options.commonName] }]);
  const issuer = options.issuer && read(options.issuer.certificatePem);
  const spki = spkiOf(options.key);
  const extensions: Extension[] = [
    new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    new BasicConstraintsExtension(true, options.pathLength, true),
    await SubjectKeyIdentifierExtension.create(spki),
  ];
  if (issuer) extensions.push(authorityKeyIdentifier(issuer));
  // Critical: RFC 5280, 4.2.1.10. Who does not know it must not trust the certificate.
  const { nameConstraints: constraints } = options;
  if (constraints) extensions.push(new Extension(NAME_CONSTRAINTS_OID, true, new Uint8Array(constraints)));
  return certificate({
    subject,
    issuerName: issuer?.subjectName ?? subject,
    spki,
    validity: options,
    extensions,
    signingKey: options.issuer?.key ?? options.key,
  });
}

/** Input of {@link createCrossCertificate}. */
export interface CrossCertificateOptions extends ValidityPeriod {
  /** The root that is to be trusted by those who trust `issuer` alone, PEM: whose name and key it is. */
  readonly of: string;
  /** The root that they trust. */
  readonly issuer: SigningCertificate;
  /** How many CA certificates may follow below it. */
  readonly pathLength: number;
}

/**
 * A root's name and key, signed by another root (RFC 4210, §4.4), PEM. Its subject key identifier is that root's own, so
 * that what the root has issued leads to either.
 */
export function createCrossCertificate({
  of,
  issuer,
  pathLength,
  ...validity
}: CrossCertificateOptions): Promise<string> {
  const [root, authority] = [read(of), read(issuer.certificatePem)];
  return certificate({
    subject: root.subjectName,
    issuerName: authority.subjectName,
    spki: new Uint8Array(root.publicKey.rawData),
    validity,
    extensions: [
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      new BasicConstraintsExtension(true, pathLength, true),
      new SubjectKeyIdentifierExtension(keyIdentifierOf(root)),
      authorityKeyIdentifier(authority),
    ],
    signingKey: issuer.key,
  });
}

/** Organization and common name of a root or an intermediate; empty where it has none. */
export function authorityNameOf(pem: string): AuthorityName {
  const { subjectName } = read(pem);
  return { organization: subjectName.getField('O')[0] ?? '', commonName: subjectName.getField('CN')[0] ?? '' };
}

/** Value of a CA certificate's name constraints, DER; `undefined`: it has none. */
export function nameConstraintsOf(pem: string): Uint8Array | undefined {
  const extension = read(pem).getExtension(NAME_CONSTRAINTS_OID);
  return extension ? new Uint8Array(extension.value) : undefined;
}

/** How many CA certificates may follow below this one; `Infinity` where it does not say. */
export function pathLengthOf(pem: string): number {
  return read(pem).getExtension(BasicConstraintsExtension)?.pathLength ?? Infinity;
}

/** A certificate for a server and client, PEM, shaped as step-ca's default template has it. */
export async function createLeaf(options: LeafOptions): Promise<string> {
  const { issuer, provisioner, commonName } = options;
  const authority = read(issuer.certificatePem);
  const rsa = options.publicKey.asymmetricKeyType === 'rsa';
  const usages = KeyUsageFlags.digitalSignature | (rsa ? KeyUsageFlags.keyEncipherment : 0);
  const spki = spkiOf(options.publicKey);
  const extensions: Extension[] = [
    new KeyUsagesExtension(usages, true),
    new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
    await SubjectKeyIdentifierExtension.create(spki),
    authorityKeyIdentifier(authority),
    // Critical only where there is no other name: RFC 5280, 4.2.1.6.
    new SubjectAlternativeNameExtension(generalNames(splitSans(options.sans)), commonName === undefined),
  ];
  if (provisioner) extensions.push(new Extension(STEP_PROVISIONER_OID, false, provisionerExtension(provisioner)));
  return certificate({
    subject: new Name(commonName === undefined ? [] : [{ CN: [commonName] }]),
    issuerName: authority.subjectName,
    spki,
    validity: options,
    extensions,
    signingKey: issuer.key,
  });
}

/** The same certificate again, for another time and, when `publicKey` is given, for another key. */
export async function renewLeaf(
  pem: string,
  options: ValidityPeriod & { readonly issuer: SigningCertificate; readonly publicKey?: KeyObject },
): Promise<string> {
  const [old, authority] = [read(pem), read(options.issuer.certificatePem)];
  const spki = options.publicKey ? spkiOf(options.publicKey) : new Uint8Array(old.publicKey.rawData);
  const replaced = new Map<string, Extension>([
    [OID.subjectKeyIdentifier, await SubjectKeyIdentifierExtension.create(spki)],
    [OID.authorityKeyIdentifier, authorityKeyIdentifier(authority)],
  ]);
  return certificate({
    subject: old.subjectName,
    issuerName: authority.subjectName,
    spki,
    validity: options,
    extensions: old.extensions.map((extension) => replaced.get(extension.type) ?? extension),
    signingKey: options.issuer.key,
  });
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
function authorityKeyIdentifier(issuer: X509Certificate): AuthorityKeyIdentifierExtension {
  return new AuthorityKeyIdentifierExtension(keyIdentifierOf(issuer));
}

function keyIdentifierOf(authority: X509Certificate): string {
  const own = authority.getExtension(OID.subjectKeyIdentifier) as SubjectKeyIdentifierExtension | null;
  if (own !== null) return own.keyId;
  throw new AutocertError('INVALID_CONFIG', 'the CA certificate has no subject key identifier (RFC 5280, 4.2.1.2)');
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
  const pkcs8 = new Uint8Array(parts.signingKey.export({ type: 'pkcs8', format: 'der' }));
  const made = await X509CertificateGenerator.create({
    serialNumber: randomBytes(16).toString('hex'),
    subject: parts.subject,
    issuer: parts.issuerName,
    notBefore: wholeSeconds(parts.validity.notBefore),
    notAfter: wholeSeconds(parts.validity.notAfter),
    publicKey: parts.spki,
    // The same class under two type declarations (Node's, the DOM's).
    signingKey: (await webcrypto.subtle.importKey('pkcs8', pkcs8, algorithm, false, ['sign'])) as CryptoKey,
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

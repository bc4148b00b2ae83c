/**
 * Reading and verifying certificates with `node:crypto` alone.
 * @module
 */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { AutocertError } from '../lib/errors.ts';
import type { Secret } from '../lib/secret.ts';

/** When a certificate is valid. */
export interface Validity {
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/** What people want to know about a certificate in a log line. */
export interface CertificateSummary extends Validity {
  /** Hexadecimal. */
  readonly serial: string;
  /** Such as `DNS:a.example, IP Address:10.0.0.1`. */
  readonly names: string;
}

const CERTIFICATE_BLOCK = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g;

/** The certificates of a PEM bundle, each with its own header and footer, in order. Other text is skipped. */
export function splitPem(bundle: string): string[] {
  return (bundle.match(CERTIFICATE_BLOCK) ?? []).map((block) => `${block}\n`);
}

/** Parses one PEM certificate and gives it back in its canonical form; `what` names its origin in the error. */
export function canonicalPem(pem: string, what: string): string {
  return parse(pem, what).toString();
}

/** Whether a block of {@link splitPem} is a certificate that can be read. */
export function isCertificate(pem: string): boolean {
  try {
    return parse(pem, 'certificate') !== undefined;
  } catch {
    return false;
  }
}

/** SHA-256 of the certificate's DER, lower-case hex: the fingerprint that `step certificate fingerprint` prints. */
export function fingerprintOf(pem: string): string {
  return parse(pem, 'certificate').fingerprint256.replaceAll(':', '').toLowerCase();
}

/** Validity of the first certificate in `pem`. */
export function validityOf(pem: string): Validity {
  return validity(parse(pem, 'certificate'));
}

/** Serial number, names and validity of the first certificate in `pem`. */
export function summaryOf(pem: string): CertificateSummary {
  const certificate = parse(pem, 'certificate');
  return {
    serial: certificate.serialNumber.toLowerCase(),
    names: certificate.subjectAltName ?? '',
    ...validity(certificate),
  };
}

/** Whether the first certificate in `pem` is for this private key, PEM; text that is none fits nothing. */
export function isForKey(pem: string, keyPem: Secret): boolean {
  try {
    return isKeyOf(createPrivateKey(keyPem.reveal()), pem);
  } catch {
    return false;
  }
}

/** Whether this private key is that of the first certificate in `pem`. */
export function isKeyOf(key: KeyObject, pem: string): boolean {
  return parse(pem, 'certificate').checkPrivateKey(key);
}

/** Most certificates of a chain that are looked at; ours have two, and three while one root replaces another. */
const MAX_CHAIN = 10;

/**
 * Verifies that `chain` (leaf first, then intermediates) leads to one of `roots` and is valid now: names of issuers,
 * signatures, CA flags, validity. The first certificate that a root has issued ends the way: what follows it is for those
 * who do not know that root, such as a cross certificate while one root replaces another.
 * @throws AutocertError `UNTRUSTED` that says which link is wrong
 */
export function verifyChain(chain: readonly string[], roots: readonly string[], now: Date): void {
  if (chain.length > MAX_CHAIN) {
    throw untrusted(`it has ${chain.length} certificates, and at most ${MAX_CHAIN} are looked at`);
  }
  const certificates = chain.map((pem, index) => parse(pem, `certificate ${index + 1} of the chain`));
  const anchors = roots.map((pem) => parse(pem, 'root certificate'));
  const [leaf] = certificates;
  if (leaf === undefined) throw untrusted('the chain is empty');
  if (leaf.ca) throw untrusted(`${nameOf(leaf)} is a CA certificate where a leaf is wanted`);
  let invalidRoot: X509Certificate | undefined;
  for (const [index, issued] of certificates.entries()) {
    checkTime(issued, now);
    const issuers = anchors.filter((anchor) => isIssuedBy(issued, anchor));
    if (issuers.some((root) => isValidAt(root, now))) return;
    invalidRoot ??= issuers[0];
    const next = certificates[index + 1];
    if (next && !isIssuedBy(issued, next)) {
      if (invalidRoot) break;
      throw untrusted(`${nameOf(issued)} was not issued by ${nameOf(next)}`);
    }
  }
  if (invalidRoot) checkTime(invalidRoot, now);
  const last = certificates.at(-1) ?? leaf;
  throw untrusted(`${nameOf(last)} was issued by none of the pinned roots (${anchors.map(nameOf).join(', ')})`);
}

/** Whether {@link verifyChain} has nothing against it. */
export function leadsTo(chain: readonly string[], roots: readonly string[], now: Date): boolean {
  try {
    verifyChain(chain, roots, now);
    return true;
  } catch {
    return false;
  }
}

/** Whether two lists, each PEM, have the same certificates, however they are ordered. */
export function sameCertificates(some: readonly string[], others: readonly string[]): boolean {
  const ids = (certificates: readonly string[]) => [...new Set(certificates.map(fingerprintOf))].sort().join();
  return ids(some) === ids(others);
}

/** Whether the first certificate in `pem` was issued by that in `issuerPem`: by name, key identifiers and signature. */
export function isIssuedByPem(pem: string, issuerPem: string): boolean {
  return isIssuedBy(parse(pem, 'certificate'), parse(issuerPem, "the issuer's certificate"));
}

function parse(pem: string, what: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    throw new AutocertError('UNTRUSTED', `${what} is not a PEM certificate`, { cause });
  }
}

function validity(certificate: X509Certificate): Validity {
  return { notBefore: certificate.validFromDate, notAfter: certificate.validToDate };
}

function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return issuer.ca && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

function isValidAt(certificate: X509Certificate, now: Date): boolean {
  const { notBefore, notAfter } = validity(certificate);
  return notBefore <= now && now <= notAfter;
}

function checkTime(certificate: X509Certificate, now: Date): void {
  const { notBefore, notAfter } = validity(certificate);
  if (now > notAfter) throw untrusted(`${nameOf(certificate)} expired at ${notAfter.toISOString()}`);
  if (now < notBefore) {
    throw untrusted(
      `${nameOf(certificate)} is not valid before ${notBefore.toISOString()}, and this machine's clock says ${now.toISOString()}`,
    );
  }
}

function nameOf(certificate: X509Certificate): string {
  return JSON.stringify(certificate.subject?.replaceAll('\n', ', ') || certificate.subjectAltName || 'no name');
}

function untrusted(problem: string): AutocertError {
  return new AutocertError('UNTRUSTED', `the certificate chain does not verify: ${problem}`);
}

/**
 * Reading and verifying certificates with `node:crypto` alone.
 * @module
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
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

/** Whether the first certificate in `pem` is for this private key. */
export function isForKey(pem: string, keyPem: Secret): boolean {
  try {
    return parse(pem, 'certificate').checkPrivateKey(createPrivateKey(keyPem.reveal()));
  } catch {
    return false;
  }
}

/**
 * Verifies that `chain` (leaf first, then intermediates) leads to one of `roots` and is valid now: names of issuers,
 * signatures, CA flags, validity. Throws an {@link AutocertError} `UNTRUSTED` that says which link is wrong.
 */
export function verifyChain(chain: readonly string[], roots: readonly string[], now: Date): void {
  const [leaf, ...intermediates] = chain.map((pem, index) => parse(pem, `certificate ${index + 1} of the chain`));
  if (leaf === undefined) throw untrusted('the chain is empty');
  if (leaf.ca) throw untrusted(`${nameOf(leaf)} is a CA certificate where a leaf is wanted`);
  let issued = leaf;
  checkTime(issued, now);
  for (const issuer of intermediates) {
    checkTime(issuer, now);
    if (!isIssuedBy(issued, issuer)) throw untrusted(`${nameOf(issued)} was not issued by ${nameOf(issuer)}`);
    issued = issuer;
  }
  const anchors = roots.map((pem) => parse(pem, 'root certificate'));
  const root = anchors.find((anchor) => isIssuedBy(issued, anchor));
  if (root === undefined) {
    throw untrusted(`${nameOf(issued)} was issued by none of the pinned roots (${anchors.map(nameOf).join(', ')})`);
  }
  checkTime(root, now);
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

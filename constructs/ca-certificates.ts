/**
 * Certificates that are given as props.
 * @module
 */
import { X509Certificate } from 'node:crypto';
import { refuse } from './validation.ts';

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/** What was given instead of a certificate must not be shown: it may be a private key. */
function refusePem(prop: string, wanted: string): never {
  throw new Error(`${prop}: ${wanted}`);
}

/** One or more CA certificates in PEM, parsed. */
export function checkCaCertificates(prop: string, pem: unknown): readonly X509Certificate[] {
  if (typeof pem !== 'string') return refusePem(prop, `got no string but ${typeof pem}, and it takes PEM certificates`);
  const blocks = pem.match(PEM_CERTIFICATE) ?? [];
  if (/PRIVATE KEY-----/.test(pem)) refusePem(prop, 'contains a private key, but it takes certificates only');
  if (blocks.length === 0) refusePem(prop, 'has no "-----BEGIN CERTIFICATE-----" in it, but it takes PEM certificates');
  return blocks.map((block, index) => {
    const certificate = parseCertificate(block);
    if (certificate === undefined) return refusePem(prop, `certificate ${index + 1} cannot be read: is it cut short?`);
    if (certificate.ca) return certificate;
    return refuse(prop, certificate.subject, 'it takes certificates of a CA (basic constraint CA:TRUE)');
  });
}

function parseCertificate(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}

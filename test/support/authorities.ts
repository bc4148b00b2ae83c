/**
 * Certificates of CAs for tests.
 * @module
 */
import { type KeyObject, X509Certificate } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { replaceCertificateFiles } from '../../runtime/agent/certificate-files.ts';
import { Secret } from '../../runtime/lib/secret.ts';
import { createIntermediate, createRoot } from '../../runtime/pki/authorities.ts';
import { MAX_COMMON_NAME } from '../../runtime/policy/lifetimes.ts';
import { createKey } from '../../runtime/x509/private-key.ts';
import { createLeaf, type SigningCertificate } from '../../runtime/x509/signing.ts';

/** A root and an intermediate of its own, PEM. */
export async function createAuthorities(
  name = 'Test',
): Promise<{ readonly root: string; readonly intermediate: string }> {
  const { root, certificatePem } = await signingAuthority(name);
  return { root, intermediate: certificatePem };
}

/** An intermediate that signs, with its root, PEM. */
export interface SigningAuthority extends SigningCertificate {
  readonly root: string;
}

/** A new root, and an intermediate that signs. */
export async function signingAuthority(name: string): Promise<SigningAuthority> {
  const now = new Date();
  const [rootKey, key]: [KeyObject, KeyObject] = [await createKey(), await createKey()];
  const root = await createRoot({ name, key: rootKey, now });
  const certificatePem = await createIntermediate({ name, key, now }, { certificatePem: root, key: rootKey });
  return { root, key, certificatePem };
}

/**
 * Gives a folder a new certificate of an hour for `name`, as an agent does it: without a common name where that is too long
 * for one.
 * @param roots what `root.crt` has
 * @returns its serial number
 */
export async function renewFiles(
  folder: string,
  name: string,
  issuer: SigningAuthority,
  roots: string = issuer.root,
): Promise<string> {
  const [key, now] = [await createKey(), Date.now()];
  const [notBefore, notAfter] = [new Date(now - 60_000), new Date(now + 3_600_000)];
  const commonName = name.length <= MAX_COMMON_NAME ? { commonName: name } : {};
  const leaf = await createLeaf({ ...commonName, sans: [name], publicKey: key, issuer, notBefore, notAfter });
  const pem = new Secret(key.export({ type: 'pkcs8', format: 'pem' }).toString());
  mkdirSync(folder, { recursive: true });
  const set = { certificate: leaf + issuer.certificatePem, key: pem, roots, anchors: roots, notAfter };
  replaceCertificateFiles(folder, { ...set, obtainedAt: new Date(now) }, 0o644);
  return new X509Certificate(leaf).serialNumber;
}

import { X509Certificate } from 'node:crypto';
import {
  createCross,
  createIntermediate,
  createNextRoot,
  createRoot,
  renewalDateOf,
} from '../../../runtime/pki/authorities.ts';
import { validityOf } from '../../../runtime/x509/certificate.ts';
import { createKey } from '../../../runtime/x509/private-key.ts';
import { authorityNameOf, createAuthority, pathLengthOf } from '../../../runtime/x509/signing.ts';

const now = new Date('2026-01-01T00:00:00Z');
const YEAR_MS = 365 * 86_400_000;
const inYears = (years: number) => new Date(+now + years * YEAR_MS);
const key = await createKey();
const nextKey = await createKey();
const root = await createRoot({ name: 'Autocert', key, now });
const nextRoot = await createNextRoot(root, nextKey, inYears(9));
const cross = await createCross(nextRoot, { certificatePem: root, key });
const x509 = (pem: string) => new X509Certificate(pem);

describe('a new root', () => {
  test('has a name of its own: the number goes up', async () => {
    expect(authorityNameOf(nextRoot)).toEqual({ organization: 'Autocert', commonName: 'Autocert Root CA 2' });
    expect(authorityNameOf(await createNextRoot(nextRoot, key, now)).commonName).toBe('Autocert Root CA 3');
  });

  test('of a long name still fits into a common name', async () => {
    const long = await createRoot({ name: 'n'.repeat(48), key, now });
    expect(authorityNameOf(await createNextRoot(long, nextKey, now)).commonName).toMatch(/^n{48} Root CA 2$/);
    const options = { organization: 'n', pathLength: 2, key, notBefore: now, notAfter: inYears(1) };
    const longest = await createAuthority({ ...options, commonName: 'n'.repeat(64) });
    expect(authorityNameOf(await createNextRoot(longest, nextKey, now)).commonName).toBe(`${'n'.repeat(62)} 2`);
  });

  test("has the old one's name where that allows for one CA certificate only: self-issued ones do not count", async () => {
    const old = await createAuthority({
      ...{ organization: 'Autocert', commonName: 'Autocert Root CA', pathLength: 1, key },
      ...{ notBefore: now, notAfter: inYears(10) },
    });
    const next = await createNextRoot(old, nextKey, now);
    expect(x509(next).subject).toBe(x509(old).subject);
    expect(x509(next).fingerprint256).not.toBe(x509(old).fingerprint256);
  });
});

describe('the cross certificate', () => {
  test("is the new root's name and key, signed by the old root", () => {
    expect(x509(cross).subject).toBe(x509(nextRoot).subject);
    expect(x509(cross).issuer).toBe(x509(root).subject);
    expect(x509(cross).publicKey.equals(x509(nextRoot).publicKey)).toBe(true);
    expect(x509(cross).checkIssued(x509(root)) && x509(cross).verify(x509(root).publicKey)).toBe(true);
  });

  test('is a CA below which there is room for the intermediate, below an old root with room for both', () => {
    expect(x509(cross).ca).toBe(true);
    expect([root, cross].map(pathLengthOf)).toEqual([2, 1]);
  });

  test('does not outlive the old root', () => {
    expect(validityOf(cross).notAfter).toEqual(validityOf(root).notAfter);
    expect(validityOf(nextRoot).notAfter).toEqual(inYears(19));
  });

  test('and the new root are issuers of the same intermediate, by key identifier too', async () => {
    const signer = { certificatePem: nextRoot, key: nextKey };
    const intermediate = x509(await createIntermediate({ name: 'Autocert', key, now: inYears(9) }, signer));
    for (const issuer of [nextRoot, cross]) expect(intermediate.checkIssued(x509(issuer))).toBe(true);
    expect(intermediate.checkIssued(x509(root))).toBe(false);
  });
});

describe('the intermediate', () => {
  const at = (years: number) =>
    createIntermediate({ name: 'Autocert', key: nextKey, now: inYears(years) }, { certificatePem: root, key });

  test('lasts two years, and never longer than its root', async () => {
    expect(validityOf(await at(0)).notAfter).toEqual(inYears(2));
    expect(validityOf(await at(9)).notAfter).toEqual(validityOf(root).notAfter);
  });

  test('is to be renewed from the middle of its life on, unless its root leaves no room', async () => {
    expect(Math.abs(Number(renewalDateOf(await at(0), root)) - +inYears(1))).toBeLessThan(60_000);
    expect(renewalDateOf(await at(9), root)).toBeUndefined();
  });
});

import { generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto';
import { verifyChain } from '../../../runtime/x509/certificate.ts';
import { describeCertificate } from '../../../runtime/x509/certificate-description.ts';
import { splitSans } from '../../../runtime/x509/sans.ts';
import {
  createAuthority,
  createLeaf,
  type LeafOptions,
  renewLeaf,
  type SigningCertificate,
} from '../../../runtime/x509/signing.ts';

const NOW = new Date('2027-01-01T00:00:00.750Z');
const LATER = new Date('2027-01-02T00:00:00Z');
const DECADE = { notBefore: NOW, notAfter: new Date('2037-01-01T00:00:00Z') };

const KEYS: Record<string, () => { publicKey: KeyObject; privateKey: KeyObject }> = {
  EC: () => generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  RSA: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  Ed25519: () => generateKeyPairSync('ed25519'),
};

const ec = () => generateKeyPairSync('ec', { namedCurve: 'P-256' });

const authority = async (
  commonName: string,
  pathLength: number,
  key: KeyObject,
  issuer?: SigningCertificate,
): Promise<SigningCertificate> => ({
  certificatePem: await createAuthority({
    organization: 'Autocert',
    commonName,
    pathLength,
    key,
    ...DECADE,
    ...(issuer ? { issuer } : {}),
  }),
  key,
});

let root: SigningCertificate;
let intermediate: SigningCertificate;
beforeAll(async () => {
  root = await authority('Autocert Root CA', 1, ec().privateKey);
  intermediate = await authority('Autocert Intermediate CA', 0, ec().privateKey, root);
});

const leafOptions = (): LeafOptions => ({
  commonName: 'web.shop.svc',
  sans: ['web.shop.svc'],
  publicKey: ec().publicKey,
  issuer: intermediate,
  notBefore: NOW,
  notAfter: LATER,
});

const leaf = (options: Partial<LeafOptions> = {}) => createLeaf({ ...leafOptions(), ...options });

const chainOf = (pem: string) => [pem, intermediate.certificatePem];

describe('a CA', () => {
  test('is a root that signs itself and an intermediate below it', () => {
    const [top, below] = [new X509Certificate(root.certificatePem), new X509Certificate(intermediate.certificatePem)];
    expect(top.ca && top.checkIssued(top) && top.verify(top.publicKey)).toBe(true);
    expect(below.ca && below.checkIssued(top) && below.verify(top.publicKey)).toBe(true);
    expect(below.subject).toBe('O=Autocert\nCN=Autocert Intermediate CA');
  });

  test.each([['EC'], ['RSA'], ['Ed25519']])('may have a key of type %s', async (type) => {
    const own = await authority('Own Root', 0, KEYS[type]?.().privateKey as KeyObject);
    const pem = await leaf({ issuer: own });
    expect(() => verifyChain([pem], [own.certificatePem], NOW)).not.toThrow();
  });
});

describe('a leaf', () => {
  test('without a common name has an empty subject, and a SAN that is critical', async () => {
    const { commonName: _, ...others } = leafOptions();
    const { subject, extensions } = describeCertificate(await createLeaf(others));
    expect(subject).toEqual([]);
    expect(extensions.find(({ oid }) => oid === '2.5.29.17')).toMatchObject({ critical: true });
  });

  test('verifies to the root', async () => {
    const pem = await leaf();
    expect(() => verifyChain(chainOf(pem), [root.certificatePem], NOW)).not.toThrow();
  });

  test('is valid for whole seconds, as asked', async () => {
    const certificate = new X509Certificate(await leaf());
    expect(certificate.validFromDate).toEqual(new Date('2027-01-01T00:00:00Z'));
    expect(certificate.validToDate).toEqual(LATER);
  });

  test('holds names of every kind', async () => {
    const sans = [
      'web.shop.svc',
      '*.shop.svc',
      '10.0.0.1',
      '2001:DB8:0::1',
      'spiffe://example.org/ns/shop',
      'a@b.example',
    ];
    const certificate = new X509Certificate(await leaf({ sans }));
    expect(certificate.subjectAltName).toBe(
      'DNS:web.shop.svc, DNS:*.shop.svc, email:a@b.example, IP Address:10.0.0.1, IP Address:2001:DB8:0:0:0:0:0:1, URI:spiffe://example.org/ns/shop',
    );
  });

  test('is for servers and clients', async () => {
    expect(new X509Certificate(await leaf()).keyUsage).toEqual(['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']);
  });

  test('has a serial number of 128 random bits', async () => {
    const serials = await Promise.all(
      [leaf(), leaf(), leaf()].map(async (pem) => new X509Certificate(await pem).serialNumber),
    );
    expect(new Set(serials).size).toBe(3);
    for (const serial of serials) expect(serial.length).toBeGreaterThanOrEqual(28);
  });

  test('is not made with a name that certificates cannot hold', async () => {
    await expect(leaf({ sans: ['bücher.example'] })).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message:
        'name "bücher.example" has to be printable ASCII without spaces; write international domain names as A-labels (xn--…)',
    });
  });
});

describe('a renewed leaf', () => {
  const nextDay = { notBefore: LATER, notAfter: new Date(+LATER + 86_400_000) };

  test('has the same names and key, another serial number and time', async () => {
    const old = new X509Certificate(await leaf({ provisioner: { name: 'autocert', credentialId: 'kid' } }));
    const renewed = new X509Certificate(await renewLeaf(old.toString(), { issuer: intermediate, ...nextDay }));
    expect(renewed.subject).toBe(old.subject);
    expect(renewed.subjectAltName).toBe(old.subjectAltName);
    expect(renewed.publicKey.equals(old.publicKey)).toBe(true);
    expect(renewed.serialNumber).not.toBe(old.serialNumber);
    expect(renewed.validToDate).toEqual(nextDay.notAfter);
    expect(renewed.raw.includes(Buffer.from('autocert'))).toBe(true);
  });

  test('can be for another key', async () => {
    const { publicKey } = ec();
    const renewed = await renewLeaf(await leaf(), { issuer: intermediate, publicKey, ...nextDay });
    expect(new X509Certificate(renewed).publicKey.equals(publicKey)).toBe(true);
    expect(() => verifyChain(chainOf(renewed), [root.certificatePem], LATER)).not.toThrow();
  });
});

test('names are sorted into the kinds that step-ca would take them for', () => {
  expect(splitSans(['a.b', '1.2.3.4', '::0:1', 'spiffe://x/y', 'urn:uuid:1', 'm@x.y'])).toEqual({
    dns: ['a.b'],
    ip: ['1.2.3.4', '::1'],
    url: ['spiffe://x/y', 'urn:uuid:1'],
    email: ['m@x.y'],
  });
});

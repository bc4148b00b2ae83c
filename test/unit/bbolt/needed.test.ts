import { createHash, generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { neededBy } from '../../../runtime/bbolt/needed.ts';
import { createAuthority, createLeaf } from '../../../runtime/x509/signing.ts';

const NOW = new Date('2030-01-01T12:00:00Z');
const MINUTE = 60_000;
const minutesAgo = (minutes: number) => NOW.getTime() / 1000 - minutes * 60;
const base64url = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
const tokenOf = (claims: object) => Buffer.from(`${base64url({ alg: 'ES256' })}.${base64url(claims)}.c2ln`);
const keep = (table: string, key: string, value: Buffer | string) =>
  neededBy(NOW)(table, Buffer.from(key), Buffer.from(value));

describe('one-time tokens', () => {
  const expired = tokenOf({ jti: 'a', exp: minutesAgo(11) });

  test('go ten minutes after they have expired, and not before', () => {
    expect(keep('used_ott', 'a', expired)).toBe(false);
    expect(keep('used_ott', 'a', tokenOf({ jti: 'a', exp: minutesAgo(9) }))).toBe(true);
    expect(keep('used_ott', 'a', tokenOf({ jti: 'a', exp: minutesAgo(-5) }))).toBe(true);
  });

  test('are told by their jti, their nonce (OIDC) or their hash', () => {
    expect(keep('used_ott', 'n', tokenOf({ jti: 'a', nonce: 'n', exp: minutesAgo(11) }))).toBe(false);
    const withoutId = tokenOf({ exp: minutesAgo(11) });
    expect(keep('used_ott', createHash('sha256').update(withoutId).digest('hex'), withoutId)).toBe(false);
  });

  test('stay for good where they stand for a machine that gets one certificate ever (AWS, Azure, GCP)', () => {
    expect(keep('used_ott', createHash('sha256').update('gcp.instance-1').digest('hex'), expired)).toBe(true);
  });

  test.each<[string, Buffer | string]>([
    ['no token', 'something'],
    ['nothing', ''],
    ['claims that are no JSON', 'e30.bm9wZQ.c2ln'],
    ['claims that are no object', tokenOf([]).toString()],
    ['null for claims', 'e30.bnVsbA.c2ln'],
    ['no expiry', tokenOf({ jti: 'a' })],
    ['an expiry that is no number', tokenOf({ jti: 'a', exp: '1' })],
    ['an unheard-of length', tokenOf({ jti: 'a', exp: minutesAgo(11), more: 'x'.repeat(20_000) })],
  ])('stay if unreadable: %s', (_name, token) => {
    expect(keep('used_ott', 'a', token)).toBe(true);
  });

  test('any bytes are judged without an error', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.uint8Array(), fc.constantFrom('used_ott', 'x509_certs'), (key, value, table) => {
        expect(neededBy(NOW)(table, Buffer.from(key), Buffer.from(value))).toBe(true);
      }),
    );
  });
});

describe('issued certificates', () => {
  /** DER of one that expires so many minutes from now, and may name its provisioner. */
  const certificate = async (minutes: number, provisioner?: string) => {
    const { publicKey, privateKey: key } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const validity = { notBefore: new Date(minutesAgo(600) * 1000), notAfter: new Date(minutesAgo(-minutes) * 1000) };
    const name = { organization: 'Test', commonName: 'Test CA' };
    const issuer = { certificatePem: await createAuthority({ ...validity, ...name, key, pathLength: 0 }), key };
    const named = provisioner === undefined ? {} : { provisioner: { name: provisioner, credentialId: 'kid' } };
    const pem = await createLeaf({ ...validity, ...named, sans: ['web.shop.svc'], publicKey, issuer });
    return Buffer.from(pem.replace(/-----[^-]+-----/g, ''), 'base64');
  };

  test('go, with what is stored of them', async () => {
    const needed = neededBy(NOW);
    expect(needed('x509_certs', Buffer.from('1'), await certificate(60, 'admin'))).toBe(false);
    expect(needed('x509_certs_data', Buffer.from('1'), Buffer.from('{"provisioner":{}}'))).toBe(false);
    expect(needed('ssh_certs', Buffer.from('2'), Buffer.from('ssh'))).toBe(false);
  });

  test('stay while they are valid if they do not name their provisioner, with what is stored of them', async () => {
    const needed = neededBy(NOW);
    expect(needed('x509_certs', Buffer.from('1'), await certificate(60))).toBe(true);
    expect(needed('x509_certs', Buffer.from('2'), await certificate(-11))).toBe(false);
    expect(needed('x509_certs_data', Buffer.from('1'), Buffer.from('{}'))).toBe(true);
    expect(needed('x509_certs_data', Buffer.from('2'), Buffer.from('{}'))).toBe(false);
  });
});

test('everything else stays, also revocations of certificates that have expired', () => {
  const longAgo = new Date(NOW.getTime() - 1e6 * MINUTE).toISOString();
  expect(keep('revoked_x509_certs', '1', JSON.stringify({ Serial: '1', ExpiresAt: longAgo }))).toBe(true);
  for (const table of ['revoked_ssh_certs', 'x509_crl', 'ssh_hosts', 'acme_orders', 'admins', 'provisioners', 'x'])
    expect(keep(table, 'k', 'v')).toBe(true);
});

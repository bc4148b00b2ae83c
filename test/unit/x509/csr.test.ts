import { createHash, createPrivateKey, createPublicKey, verify } from 'node:crypto';
import { createKeyAndRequest } from '../../../runtime/x509/csr.ts';
import { encode, integer, oid, toPem } from '../../../runtime/x509/der.ts';
import { readAll, readBitString, readOne } from '../../../runtime/x509/der-reader.ts';
import { keyOfRequest } from '../../support/fake-ca.ts';

describe('createKeyAndRequest', () => {
  test('makes a new P-256 key each time, as PKCS#8 that does not print', async () => {
    const [one, two] = await Promise.all([createKeyAndRequest(), createKeyAndRequest()]);
    expect(createPrivateKey(one.keyPem.reveal()).asymmetricKeyDetails).toEqual({ namedCurve: 'prime256v1' });
    expect(one.keyPem.reveal()).toMatch(/^-----BEGIN PRIVATE KEY-----/);
    expect(one.keyPem.reveal()).not.toEqual(two.keyPem.reveal());
    expect(JSON.stringify(one)).not.toContain('PRIVATE KEY');
  });

  test('the request carries the key, an empty name, no attributes, and a signature by that key', async () => {
    const { keyPem, csrPem } = await createKeyAndRequest();
    const der = Buffer.from(csrPem.replace(/-----[^-]+-----/g, ''), 'base64');
    const [info, , signature] = readAll(readOne(der).bytes);
    if (!info || !signature) throw new Error('the request has three parts');
    const publicKey = createPublicKey(keyPem.reveal());
    const spki = publicKey.export({ type: 'spki', format: 'der' });
    expect(info.bytes.toString('hex')).toBe(`020100${'3000'}${spki.toString('hex')}a000`);
    expect(verify('sha256', info.whole, publicKey, readBitString(signature))).toBe(true);
    expect(keyOfRequest(csrPem).equals(publicKey)).toBe(true);
  });

  test('the fingerprint is the base64url SHA-256 of the DER', async () => {
    const { csrPem, fingerprint } = await createKeyAndRequest();
    const der = Buffer.from(csrPem.replace(/-----[^-]+-----/g, ''), 'base64');
    expect(fingerprint).toBe(createHash('sha256').update(der).digest('base64url'));
  });
});

describe('DER', () => {
  test.each([
    [0n, '020100'],
    [127n, '02017f'],
    [128n, '02020080'],
    [256n, '02020100'],
  ])('the integer %s stays positive', (value, hex) => expect(integer(value).toString('hex')).toBe(hex));

  test('object identifiers use base 128', () => {
    expect(oid('1.2.840.10045.4.3.2').toString('hex')).toBe('06082a8648ce3d040302');
    expect(oid('1.3.6.1.4.1.37476.9000.64.1').toString('hex')).toBe('060c2b0601040182a464c6284001');
  });

  test.each([
    [127, '047f'],
    [128, '048180'],
    [256, '04820100'],
    [65_536, '0483010000'],
  ])('a content of %i bytes has its length in front', (size, head) => {
    const der = encode(0x04, Buffer.alloc(size));
    expect(der.subarray(0, head.length / 2).toString('hex')).toBe(head);
    expect(der.length).toBe(head.length / 2 + size);
  });

  test('PEM has lines of 64 characters', () => {
    const lines = toPem('X', Buffer.alloc(100)).split('\n');
    expect(lines[0]).toBe('-----BEGIN X-----');
    expect(lines[1]).toHaveLength(64);
    expect(lines.at(-1)).toBe('');
  });
});

import { createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import fc from 'fast-check';
import { AutocertError } from '../../../runtime/lib/errors.ts';
import {
  MAX_REQUEST_BYTES,
  readKeyRequest,
  readKeyRequestPem,
  readNamedRequestPem,
} from '../../../runtime/x509/certificate-request.ts';
import { createKeyAndRequest } from '../../../runtime/x509/csr.ts';
import { bitString, encode, integer, oid, sequence, toPem } from '../../../runtime/x509/der.ts';
/** DER in base64 by kind of key, made by Go's `x509.CreateCertificateRequest` without names, as kubelet does it. */
import requestsOfGo from '../../fixtures/certificate-requests.json' with { type: 'json' };
import { requestWithNames } from '../../support/certificate-requests.ts';

const derOf = (pem: string) => Buffer.from(pem.replace(/-----[^-]+-----/g, ''), 'base64');
const ec = () => generateKeyPairSync('ec', { namedCurve: 'P-256' });
const refused = (problem: string) =>
  expect.objectContaining({
    code: 'INVALID_INPUT',
    message: expect.stringMatching(new RegExp(`^csr is not a PKCS#10 request for a key: .*${problem}`)),
  });

describe('a request is read', () => {
  test('as the agent makes it: its key, and the fingerprint that its token is bound to', async () => {
    const { csrPem, fingerprint, keyPem } = await createKeyAndRequest();
    const request = readKeyRequestPem(csrPem, 'csr');
    expect(request).toMatchObject({ csrPem, fingerprint });
    expect(request.publicKey.equals(createPublicKey(keyPem.reveal()))).toBe(true);
  });

  test.each(Object.entries(requestsOfGo))('as kubelet makes it, with a key %s', (_kind, base64) => {
    const der = Buffer.from(base64, 'base64');
    const { csrPem } = readKeyRequest(der, 'csr');
    expect(derOf(csrPem)).toEqual(der);
  });

  test('with white space around the PEM', async () => {
    const { csrPem } = await createKeyAndRequest();
    expect(readKeyRequestPem(`\r\n ${csrPem.replaceAll('\n', '\r\n')}\n\n`, 'csr').csrPem).toBe(csrPem);
  });

  test('with names, where they do not matter', () => {
    const keys = ec();
    const csr = requestWithNames({ commonName: 'web.shop.svc', dns: ['web.shop.svc'], ip: ['10.0.0.1'] }, keys);
    expect(readNamedRequestPem(csr, 'csr').publicKey.equals(keys.publicKey)).toBe(true);
  });
});

describe('a request is refused', () => {
  test.each([
    ['a common name', { commonName: 'web.shop.svc' }, 'its subject must be empty: names come from the pod'],
    ['a DNS name', { dns: ['web.shop.svc'] }, 'it has attributes: names come from the pod'],
    ['a URI', { uri: ['spiffe://a/b'] }, 'it has attributes: names come from the pod'],
  ])('with %s', (_what, names, problem) => {
    expect(() => readKeyRequestPem(requestWithNames(names), 'csr')).toThrow(refused(problem));
  });

  test.each([
    ['RSA 1024', generateKeyPairSync('rsa', { modulusLength: 1024 }), 'its RSA key has 1024 bits; use 2048 or more'],
    ['EC P-224', generateKeyPairSync('ec', { namedCurve: 'secp224r1' }), 'its key is on curve secp224r1; use P-256'],
    ['EC secp256k1', generateKeyPairSync('ec', { namedCurve: 'secp256k1' }), 'its key is on curve secp256k1'],
  ])('with a weak key: %s', (_what, keys, problem) => {
    const csr = requestWithNames({}, keys);
    expect(() => readKeyRequestPem(csr, 'csr')).toThrow(refused(problem));
    expect(() => readNamedRequestPem(csr, 'csr')).toThrow(refused(problem));
  });

  test('signed by another key', () => {
    const [own, other] = [ec(), ec()];
    const csr = requestWithNames({}, { publicKey: own.publicKey, privateKey: other.privateKey });
    expect(() => readKeyRequestPem(csr, 'csr')).toThrow(refused('its signature is not by its own key'));
  });

  test.each([
    ['of another kind of key', '1.2.840.113549.1.1.11', 'its signature is not by its own key'],
    ['with another hash', '1.2.840.10045.4.3.3', 'its signature is not by its own key'],
    ['by SHA-1', '1.2.840.10045.4.1', 'its signature algorithm is none of ECDSA, RSA \\(SHA-2\\) or Ed25519'],
  ])('whose signature algorithm is one %s', (_what, algorithm, problem) => {
    const { publicKey, privateKey } = ec();
    const spki = publicKey.export({ type: 'spki', format: 'der' });
    const info = sequence(integer(0n), sequence(), spki, encode(0xa0));
    const der = sequence(info, sequence(oid(algorithm)), bitString(sign('sha256', info, privateKey)));
    expect(() => readKeyRequest(der, 'csr')).toThrow(refused(problem));
  });

  test.each([
    ['nothing', '', 'it is not one PEM block'],
    ['text', 'hello', 'it is not one PEM block'],
    ['a certificate', toPem('CERTIFICATE', Buffer.alloc(9)), 'it is not one PEM block'],
    ['two requests', toPem('CERTIFICATE REQUEST', Buffer.alloc(9)).repeat(2), 'it is not one PEM block'],
    ['zeros', toPem('CERTIFICATE REQUEST', Buffer.alloc(9)), 'malformed DER'],
    ['a sequence of something else', toPem('CERTIFICATE REQUEST', sequence(integer(1n))), 'it has 1 parts'],
    [
      'more than any key needs',
      toPem('CERTIFICATE REQUEST', Buffer.alloc(MAX_REQUEST_BYTES + 1)),
      'it has 10241 bytes',
    ],
    ['far more', 'a'.repeat(1_000_000), 'it has 1000000 characters'],
  ])('that is none: %s', (_what, pem, problem) => {
    expect(() => readKeyRequestPem(pem, 'csr')).toThrow(refused(problem));
  });
});

describe('whatever the bytes are, a request is read or is INVALID_INPUT:', () => {
  const requests = Object.values(requestsOfGo).map((base64) => Buffer.from(base64, 'base64'));

  /** What the reader makes of it: nothing, unless it is exactly what was signed. */
  const read = (der: Buffer) => {
    try {
      return readKeyRequest(der, 'csr');
    } catch (error) {
      expect(error).toBeInstanceOf(AutocertError);
      expect(error).toMatchObject({ code: 'INVALID_INPUT' });
      return undefined;
    }
  };

  test.each(Object.keys(requestsOfGo))('any byte changed, key %s', (kind) => {
    const der = requests[Object.keys(requestsOfGo).indexOf(kind)] ?? Buffer.alloc(0);
    const { publicKey } = readKeyRequest(der, 'csr');
    for (let position = 0; position < der.length; position += 1) {
      const damaged = Buffer.from(der);
      damaged[position] = (damaged[position] ?? 0) ^ 0x01;
      // Of what is not signed, a few bits have no meaning. The key is never another.
      const request = read(damaged);
      if (request) expect(request.publicKey.equals(publicKey)).toBe(true);
    }
  });

  test('cut anywhere, or with more behind it', () => {
    for (const der of requests) {
      for (let length = 0; length < der.length; length += 1) expect(read(der.subarray(0, length))).toBeUndefined();
      expect(read(Buffer.concat([der, Buffer.of(0)]))).toBeUndefined();
    }
  });

  test('changed, cut and mixed at random', () => {
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 64 }),
      fc
        .constantFrom(...requests)
        .chain((der) => fc.tuple(fc.nat(der.length), fc.nat(der.length)).map(([from, to]) => der.subarray(from, to))),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 4 }), fc.boolean(), (pieces, wrapped) => {
        const bytes = Buffer.concat(pieces);
        read(wrapped ? sequence(sequence(bytes), sequence(oid('1.3.101.112')), bitString(bytes)) : bytes);
      }),
      { numRuns: 1000 },
    );
  });

  test('any text', () => {
    fc.assert(
      fc.property(fc.string(), fc.boolean(), (text, framed) => {
        const pem = framed ? `-----BEGIN CERTIFICATE REQUEST-----\n${text}\n-----END CERTIFICATE REQUEST-----\n` : text;
        expect(() => readKeyRequestPem(pem, 'csr')).toThrow(expect.objectContaining({ code: 'INVALID_INPUT' }));
      }),
    );
  });
});

import fc from 'fast-check';
import { AutocertError } from '../../../runtime/lib/errors.ts';
import { readStubRequest } from '../../../runtime/signer/stub-request.ts';
import { CSR_FINGERPRINT, CSR_PEM, STUB } from './fixtures.ts';

test('gives the request back as PEM, with its fingerprint and its key', () => {
  const { csrPem, fingerprint, publicKey } = readStubRequest(STUB);
  expect(csrPem.trim()).toBe(CSR_PEM.trim());
  expect(fingerprint).toBe(CSR_FINGERPRINT);
  expect(publicKey.asymmetricKeyDetails).toEqual({ namedCurve: 'prime256v1' });
});

test('refuses a request that brings names of its own', () => {
  const der = Buffer.from(STUB, 'base64');
  // version INTEGER 0, then the subject: an empty SEQUENCE, here replaced by one with something in it.
  const at = der.indexOf(Buffer.from([0x02, 0x01, 0x00, 0x30, 0x00])) + 4;
  const named = Buffer.concat([der.subarray(0, at), Buffer.from([2, 0x31, 0]), der.subarray(at + 1)]);
  // Both enclosing lengths grow by two.
  named[at - 4 - 1] = (named[at - 4 - 1] ?? 0) + 2;
  const outer = named[1] === 0x81 ? 2 : 1;
  named[outer] = (named[outer] ?? 0) + 2;
  expect(() => readStubRequest(named.toString('base64'))).toThrow(/subject must be empty/);
});

test.each([
  ['nothing', ''],
  ['text', Buffer.from('hello').toString('base64')],
  ['a request that is cut off', STUB.slice(0, 80)],
  ['a request with bytes after its end', Buffer.concat([Buffer.from(STUB, 'base64'), Buffer.of(0)]).toString('base64')],
  ['more than kubelet ever sends', Buffer.alloc(11_000, 0x30).toString('base64')],
])('refuses %s', (_, base64) => {
  expect(() => readStubRequest(base64)).toThrow(/spec\.stubPKCS10Request is not a PKCS#10 request as kubelet makes it/);
});

test('never throws anything but INVALID_INPUT, whatever the bytes are', () => {
  const der = Buffer.from(STUB, 'base64');
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(der.length - 1), fc.nat(255)), { maxLength: 4 }), (changes) => {
      const changed = Buffer.from(der);
      for (const [at, byte] of changes) changed[at] = byte;
      try {
        readStubRequest(changed.toString('base64'));
      } catch (error) {
        expect(error).toBeInstanceOf(AutocertError);
        expect(error).toMatchObject({ code: 'INVALID_INPUT' });
      }
    }),
  );
});

/**
 * Reads the CSR that kubelet makes: a PKCS#10 request (RFC 2986) that carries a public key and nothing else, since the
 * names come from the pod. Only as much DER as that takes.
 * @module
 */
import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import { AutocertError } from '../lib/errors.ts';

/** What the signer needs of a CSR. */
export interface StubRequest {
  readonly csrPem: string;
  /** base64url SHA-256 of the DER: binds the one-time token to this request. */
  readonly fingerprint: string;
  readonly publicKey: KeyObject;
}

/** The API server takes no more. */
const MAX_BYTES = 10 * 1024;
const SEQUENCE = 0x30;
const INTEGER = 0x02;

/** Throws `INVALID_INPUT` unless `base64` is one DER request with an empty subject. */
export function readStubRequest(base64: string): StubRequest {
  const der = Buffer.from(base64, 'base64');
  if (der.length > MAX_BYTES) throw malformed(`it has ${der.length} bytes, at most ${MAX_BYTES} are allowed`);
  const request = element(der, 0, SEQUENCE, 'the request');
  if (request.end !== der.length) throw malformed('bytes follow its end');
  const info = element(der, request.start, SEQUENCE, 'certificationRequestInfo');
  const version = element(der, info.start, INTEGER, 'the version');
  const subject = element(der, version.end, SEQUENCE, 'the subject');
  if (subject.start !== subject.end) throw malformed('its subject must be empty: names come from the pod');
  const key = element(der, subject.end, SEQUENCE, 'subjectPublicKeyInfo');
  return {
    csrPem: pemOf(der),
    fingerprint: createHash('sha256').update(der).digest('base64url'),
    publicKey: publicKeyOf(der.subarray(subject.end, key.end)),
  };
}

/** The content of the element at `offset`; definite lengths of up to two bytes suffice below {@link MAX_BYTES}. */
function element(der: Buffer, offset: number, tag: number, what: string): { start: number; end: number } {
  if (der[offset] !== tag) throw malformed(`${what} is missing`);
  const first = der[offset + 1] ?? 0x80;
  const lengthBytes = first < 0x80 ? 0 : first - 0x80;
  const start = offset + 2 + lengthBytes;
  if (first === 0x80 || lengthBytes > 2 || start > der.length) throw malformed(`${what} has no proper length`);
  const length = lengthBytes === 0 ? first : der.readUIntBE(offset + 2, lengthBytes);
  if (start + length > der.length) throw malformed(`${what} is cut off`);
  return { start, end: start + length };
}

function publicKeyOf(spki: Buffer): KeyObject {
  try {
    return createPublicKey({ key: spki, format: 'der', type: 'spki' });
  } catch (cause) {
    throw new AutocertError('INVALID_INPUT', 'spec.stubPKCS10Request has a public key that cannot be read', { cause });
  }
}

function pemOf(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE REQUEST-----\n${lines.join('\n')}\n-----END CERTIFICATE REQUEST-----\n`;
}

function malformed(problem: string): AutocertError {
  return new AutocertError(
    'INVALID_INPUT',
    `spec.stubPKCS10Request is not a PKCS#10 request as kubelet makes it: ${problem}`,
  );
}

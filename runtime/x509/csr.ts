/**
 * A key pair and the certificate request for it. The request has no name in it: the names come from the one-time token,
 * which is bound to this very request by its fingerprint.
 * @module
 */
import { createHash, generateKeyPair, type KeyObject, sign } from 'node:crypto';
import { promisify } from 'node:util';
import { Secret } from '../lib/secret.ts';
import { bitString, encode, integer, oid, sequence, toPem } from './der.ts';

/** What {@link createKeyAndRequest} makes. */
export interface KeyAndRequest {
  /** PKCS#8, PEM. */
  readonly keyPem: Secret;
  /** PKCS#10, PEM. */
  readonly csrPem: string;
  /** SHA-256 of the request's DER, base64url: what the claim `cnf["x5rt#S256"]` of a one-time token holds. */
  readonly fingerprint: string;
}

const generate = promisify(generateKeyPair);

/** A new EC P-256 key and a request signed by it (ECDSA with SHA-256). */
export async function createKeyAndRequest(): Promise<KeyAndRequest> {
  const { publicKey, privateKey } = await generate('ec', { namedCurve: 'P-256' });
  const der = requestFor(publicKey, privateKey);
  return {
    keyPem: new Secret(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()),
    csrPem: toPem('CERTIFICATE REQUEST', der),
    fingerprint: createHash('sha256').update(der).digest('base64url'),
  };
}

/** RFC 2986: version 0, an empty name, the public key, no attributes; then the signature over these. */
function requestFor(publicKey: KeyObject, privateKey: KeyObject): Buffer {
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  const info = sequence(integer(0n), sequence(), spki, encode(0xa0));
  return sequence(info, sequence(oid('1.2.840.10045.4.3.2')), bitString(sign('sha256', info, privateKey)));
}

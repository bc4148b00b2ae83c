/**
 * A certificate that nobody trusts: what the webhook serves while it has none from the CA. The API server and the agents
 * refuse it.
 * @module
 */
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { Secret } from '../lib/secret.ts';
import { bitString, encode, integer, oid, sequence, toPem } from '../x509/der.ts';

/** A certificate chain and its key, PEM. */
export interface ServingPair {
  readonly certificatePem: string;
  readonly keyPem: Secret;
}

const ECDSA_SHA256 = sequence(oid('1.2.840.10045.4.3.2'));
const NAME = 'autocert: waiting for the CA';
const PRINTABLE_STRING = 0x13;
const UTC_TIME = 0x17;

/** Makes a key and a self-signed certificate, valid for a year from yesterday. */
export function placeholderCertificate(now: Date): ServingPair {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const commonName = sequence(oid('2.5.4.3'), encode(PRINTABLE_STRING, Buffer.from(NAME)));
  const name = sequence(encode(0x31, commonName));
  const day = 86_400_000;
  const info = sequence(
    // RFC 5280, §4.1: version 3, serial, algorithm, issuer, validity, subject, key
    encode(0xa0, integer(2n)),
    integer(BigInt(`0x${randomBytes(8).toString('hex')}`)),
    ECDSA_SHA256,
    name,
    sequence(utcTime(new Date(+now - day)), utcTime(new Date(+now + 365 * day))),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
  );
  const der = sequence(info, ECDSA_SHA256, bitString(sign('sha256', info, privateKey)));
  return {
    certificatePem: toPem('CERTIFICATE', der),
    keyPem: new Secret(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()),
  };
}

/** `YYMMDDHHMMSSZ` */
function utcTime(date: Date): Buffer {
  return encode(UTC_TIME, Buffer.from(`${date.toISOString().slice(2, 19).replace(/[-:T]/g, '')}Z`));
}

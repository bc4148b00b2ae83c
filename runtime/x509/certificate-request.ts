/**
 * Reads certificate requests (PKCS#10, RFC 2986): a public key, and the proof that whoever asks has the private one.
 * Names never come from a request: pods' come from the pod, so theirs must have none, and the embedded CA takes those of
 * the one-time token.
 * @module
 */
import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto';
import { AutocertError, messageOf } from '../lib/errors.ts';
import { toPem } from './der.ts';
import { type DerValue, readAll, readBitString, readOid, readOne, Tag } from './der-reader.ts';
import { weaknessOf } from './key-algorithms.ts';

/** A request whose signature is good. */
export interface KeyRequest {
  readonly csrPem: string;
  /** SHA-256 of the DER, base64url: binds a one-time token to this request. */
  readonly fingerprint: string;
  readonly publicKey: KeyObject;
}

/** Largest request, bytes of DER: one with an RSA key of 16,384 bits has 4,300. The API server takes no more either. */
export const MAX_REQUEST_BYTES = 10 * 1024;

/** Signature algorithms by OID: the type of key, and the hash; `null`: the algorithm brings its own. */
const SIGNATURES: Readonly<Record<string, readonly [type: string, hash: string | null]>> = {
  '1.2.840.10045.4.3.2': ['ec', 'sha256'],
  '1.2.840.10045.4.3.3': ['ec', 'sha384'],
  '1.2.840.10045.4.3.4': ['ec', 'sha512'],
  '1.2.840.113549.1.1.11': ['rsa', 'sha256'],
  '1.2.840.113549.1.1.12': ['rsa', 'sha384'],
  '1.2.840.113549.1.1.13': ['rsa', 'sha512'],
  '1.3.101.112': ['ed25519', null],
};

const PEM = /^\s*-----BEGIN CERTIFICATE REQUEST-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE REQUEST-----\s*$/;

/**
 * Reads a pod's request in DER; `what` names it in the error.
 * @throws AutocertError `INVALID_INPUT` when it is none, carries names, its key is weak, or its signature is not by that key
 */
export function readKeyRequest(der: Buffer, what: string): KeyRequest {
  return read(der, what, refuseNames);
}

/** As {@link readKeyRequest}, of a request in PEM. */
export function readKeyRequestPem(pem: string, what: string): KeyRequest {
  return readKeyRequest(derOf(pem, what), what);
}

/** As {@link readKeyRequestPem}, but what names the request carries does not matter. */
export function readNamedRequestPem(pem: string, what: string): KeyRequest {
  return read(derOf(pem, what), what, () => {});
}

function derOf(pem: string, what: string): Buffer {
  // PEM is a third longer than DER, and has line ends.
  if (pem.length > 1.5 * MAX_REQUEST_BYTES) throw malformed(what, `it has ${pem.length} characters`);
  const base64 = PEM.exec(pem)?.[1];
  if (base64 === undefined) throw malformed(what, 'it is not one PEM block "CERTIFICATE REQUEST"');
  return Buffer.from(base64, 'base64');
}

type NamesCheck = (subject: DerValue | undefined, attributes: DerValue | undefined) => void;

function read(der: Buffer, what: string, checkNames: NamesCheck): KeyRequest {
  if (der.length > MAX_REQUEST_BYTES) {
    throw malformed(what, `it has ${der.length} bytes, at most ${MAX_REQUEST_BYTES} are read`);
  }
  try {
    return {
      publicKey: verifiedKey(der, checkNames),
      csrPem: toPem('CERTIFICATE REQUEST', der),
      fingerprint: createHash('sha256').update(der).digest('base64url'),
    };
  } catch (error) {
    throw malformed(what, messageOf(error));
  }
}

function verifiedKey(der: Buffer, checkNames: NamesCheck): KeyObject {
  const [info, algorithm, signature] = sequence(readOne(der), 3);
  const [, subject, key, attributes] = sequence(info, 3, 4);
  checkNames(subject, attributes);
  const publicKey = publicKeyOf(key);
  const weakness = weaknessOf(publicKey);
  if (weakness !== undefined) throw new Error(weakness);
  const [type, hash] = SIGNATURES[readOid(oidOf(algorithm))] ?? [];
  if (type === undefined || hash === undefined) {
    throw new Error('its signature algorithm is none of ECDSA, RSA (SHA-2) or Ed25519');
  }
  const isItsOwn =
    info !== undefined &&
    signature?.tag === Tag.bitString &&
    type === publicKey.asymmetricKeyType &&
    verify(hash, info.whole, publicKey, readBitString(signature));
  if (!isItsOwn) throw new Error('its signature is not by its own key');
  return publicKey;
}

const refuseNames: NamesCheck = (subject, attributes) => {
  if (subject?.tag !== Tag.sequence || subject.bytes.length > 0) {
    throw new Error('its subject must be empty: names come from the pod');
  }
  if (attributes && attributes.bytes.length > 0) throw new Error('it has attributes: names come from the pod');
};

function sequence(value: DerValue | undefined, least: number, most = least): readonly DerValue[] {
  if (value?.tag !== Tag.sequence) throw new Error('a SEQUENCE is missing');
  const items = readAll(value.bytes);
  if (items.length < least || items.length > most) throw new Error(`it has ${items.length} parts instead of ${least}`);
  return items;
}

function oidOf(algorithm: DerValue | undefined): DerValue {
  const [oid] = sequence(algorithm, 1, 2);
  if (oid?.tag !== Tag.oid) throw new Error('its signature algorithm is missing');
  return oid;
}

function publicKeyOf(spki: DerValue | undefined): KeyObject {
  try {
    return createPublicKey({ key: spki?.whole ?? Buffer.alloc(0), format: 'der', type: 'spki' });
  } catch {
    throw new Error('its public key cannot be read');
  }
}

function malformed(what: string, problem: string): AutocertError {
  return new AutocertError('INVALID_INPUT', `${what} is not a PKCS#10 request for a key: ${problem}`);
}

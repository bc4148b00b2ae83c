/**
 * Which keys are good for what.
 * @module
 */
import type { KeyObject } from 'node:crypto';
import { AutocertError } from '../lib/errors.ts';

const MIN_RSA_BITS = 2048;

const EC_SIGNATURES: Readonly<Record<string, { namedCurve: string; hash: string }>> = {
  prime256v1: { namedCurve: 'P-256', hash: 'SHA-256' },
  secp384r1: { namedCurve: 'P-384', hash: 'SHA-384' },
  secp521r1: { namedCurve: 'P-521', hash: 'SHA-512' },
};

/** How a CA's key signs, in the words of Web Cryptography. */
export function signatureOf({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject) {
  const ec = EC_SIGNATURES[asymmetricKeyDetails?.namedCurve ?? ''];
  if (ec) return { algorithm: { name: 'ECDSA', namedCurve: ec.namedCurve }, hash: ec.hash };
  if (asymmetricKeyType === 'ed25519') return { algorithm: { name: 'Ed25519' }, hash: 'SHA-512' };
  if (asymmetricKeyType === 'rsa') {
    return { algorithm: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }, hash: 'SHA-256' };
  }
  throw new AutocertError('INVALID_CONFIG', `a CA key of type ${asymmetricKeyType} is not supported; use EC P-256`);
}

/** What is wrong with a key that somebody wants certified; `undefined`: nothing. */
export function weaknessOf(key: KeyObject): string | undefined {
  const { modulusLength = 0, namedCurve = '' } = key.asymmetricKeyDetails ?? {};
  switch (key.asymmetricKeyType) {
    case 'ec':
      return namedCurve in EC_SIGNATURES ? undefined : `its key is on curve ${namedCurve}; use P-256`;
    case 'rsa':
      return modulusLength >= MIN_RSA_BITS
        ? undefined
        : `its RSA key has ${modulusLength} bits; use ${MIN_RSA_BITS} or more`;
    case 'ed25519':
      return undefined;
    default:
      return `its key is of type ${key.asymmetricKeyType}; use EC P-256`;
  }
}

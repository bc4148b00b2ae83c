/**
 * What is in a certificate, as data that can be printed or turned into JSON.
 * @module
 */
import { X509Certificate } from 'node:crypto';
import { AutocertError } from '../lib/errors.ts';
import {
  type DerValue,
  readAll,
  readBitString,
  readInteger,
  readOid,
  readOne,
  readText,
  readTime,
} from './der-reader.ts';
import { describeExtension, type ExtensionDescription } from './extension-description.ts';

/** One part of a distinguished name. */
export interface NameAttribute {
  /** Short name, such as `CN`, or `UnknownOID`. */
  readonly type: string;
  readonly value: string;
}

/** A public key; numbers are hex without leading zeros. */
export type PublicKeyDescription =
  | {
      readonly algorithm: 'ECDSA';
      readonly bits: number;
      readonly curve: string;
      readonly x: string;
      readonly y: string;
    }
  | { readonly algorithm: 'RSA'; readonly bits: number; readonly modulus: string; readonly exponent: number }
  | { readonly algorithm: 'Ed25519'; readonly bits: number; readonly key: string };

/** Everything in a certificate. */
export interface CertificateDescription {
  readonly version: number;
  /** Decimal. */
  readonly serialNumber: string;
  /** Such as `ECDSA-SHA256`. */
  readonly signatureAlgorithm: string;
  readonly issuer: readonly NameAttribute[];
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly subject: readonly NameAttribute[];
  readonly publicKey: PublicKeyDescription;
  readonly extensions: readonly ExtensionDescription[];
  /** Hex. */
  readonly signature: string;
  readonly isCa: boolean;
  readonly isSelfSigned: boolean;
}

/** OIDs of name attributes and the short names that `step` and Go print. */
const ATTRIBUTES: Readonly<Record<string, string>> = {
  '2.5.4.3': 'CN',
  '2.5.4.5': 'SERIALNUMBER',
  '2.5.4.6': 'C',
  '2.5.4.7': 'L',
  '2.5.4.8': 'ST',
  '2.5.4.9': 'STREET',
  '2.5.4.10': 'O',
  '2.5.4.11': 'OU',
  '2.5.4.17': 'POSTALCODE',
  '1.2.840.113549.1.9.1': 'emailAddress',
  '0.9.2342.19200300.100.1.25': 'DC',
  '0.9.2342.19200300.100.1.1': 'UID',
};

const SIGNATURES: Readonly<Record<string, string>> = {
  '1.2.840.113549.1.1.5': 'SHA1-RSA',
  '1.2.840.113549.1.1.11': 'SHA256-RSA',
  '1.2.840.113549.1.1.12': 'SHA384-RSA',
  '1.2.840.113549.1.1.13': 'SHA512-RSA',
  '1.2.840.10045.4.1': 'ECDSA-SHA1',
  '1.2.840.10045.4.3.2': 'ECDSA-SHA256',
  '1.2.840.10045.4.3.3': 'ECDSA-SHA384',
  '1.2.840.10045.4.3.4': 'ECDSA-SHA512',
  '1.3.101.112': 'Ed25519',
};

const CURVES: Readonly<Record<string, { curve: string; bits: number }>> = {
  '1.2.840.10045.3.1.7': { curve: 'P-256', bits: 256 },
  '1.3.132.0.34': { curve: 'P-384', bits: 384 },
  '1.3.132.0.35': { curve: 'P-521', bits: 521 },
};

const EXPLICIT_VERSION = 0xa0;
const EXPLICIT_EXTENSIONS = 0xa3;

/**
 * Describes the first certificate in `pem`.
 * @throws AutocertError `INVALID_INPUT` when there is none.
 */
export function describeCertificate(pem: string): CertificateDescription {
  const certificate = parse(pem);
  const [tbs, algorithm, signature] = need(readAll(readOne(certificate.raw).bytes), 3);
  const fields = readAll(tbs.bytes);
  const version =
    fields[0]?.tag === EXPLICIT_VERSION ? Number(readInteger(readOne(fields.shift()?.bytes ?? tbs.bytes))) : 0;
  const [serialNumber, , issuer, validity, subject, spki] = need(fields, 6);
  const [notBefore, notAfter] = need(readAll(validity.bytes), 2);
  const extensions = fields.find(({ tag }) => tag === EXPLICIT_EXTENSIONS);
  const signatureOid = readOid(need(readAll(algorithm.bytes), 1)[0]);
  return {
    version: version + 1,
    serialNumber: readInteger(serialNumber).toString(),
    signatureAlgorithm: SIGNATURES[signatureOid] ?? signatureOid,
    issuer: describeName(issuer),
    notBefore: readTime(notBefore),
    notAfter: readTime(notAfter),
    subject: describeName(subject),
    publicKey: describeKey(spki),
    extensions: extensions ? readAll(readOne(extensions.bytes).bytes).map(describeExtension) : [],
    signature: readBitString(signature).toString('hex'),
    isCa: certificate.ca,
    isSelfSigned: certificate.checkIssued(certificate) && certificate.verify(certificate.publicKey),
  };
}

function parse(pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    throw new AutocertError('INVALID_INPUT', 'not a certificate: wanted PEM (-----BEGIN CERTIFICATE-----)', { cause });
  }
}

/** RDNSequence → SETs → attributes, in the order in which they are written. */
function describeName({ bytes }: DerValue): NameAttribute[] {
  const attributes = readAll(bytes).flatMap((set) => readAll(set.bytes));
  return attributes.map((attribute) => {
    const [type, value] = need(readAll(attribute.bytes), 2);
    const oid = readOid(type);
    const name = ATTRIBUTES[oid];
    return name === undefined ? { type: 'UnknownOID', value: oid } : { type: name, value: readText(value) };
  });
}

function describeKey(spki: DerValue): PublicKeyDescription {
  const [algorithm, bits] = need(readAll(spki.bytes), 2);
  const [type, parameter] = readAll(algorithm.bytes);
  const key = readBitString(bits);
  switch (type && readOid(type)) {
    case '1.2.840.10045.2.1': {
      const { curve, bits: size } = CURVES[parameter ? readOid(parameter) : ''] ?? { curve: 'unknown', bits: 0 };
      const half = (key.length - 1) / 2;
      const [x, y] = [key.subarray(1, 1 + half), key.subarray(1 + half)];
      return { algorithm: 'ECDSA', bits: size, curve, x: hexNumber(x), y: hexNumber(y) };
    }
    case '1.2.840.113549.1.1.1': {
      const [modulus, exponent] = need(readAll(readOne(key).bytes), 2);
      const size = readInteger(modulus).toString(2).length;
      return {
        algorithm: 'RSA',
        bits: size,
        modulus: hexNumber(modulus.bytes),
        exponent: Number(readInteger(exponent)),
      };
    }
    case '1.3.101.112':
      return { algorithm: 'Ed25519', bits: key.length * 8, key: key.toString('hex') };
    default:
      throw new AutocertError('INVALID_INPUT', 'the certificate has a public key that is neither EC, RSA nor Ed25519');
  }
}

const hexNumber = (bytes: Buffer) => bytes.toString('hex').replace(/^(00)+/, '');

type Tuple<N extends number, T extends unknown[] = []> = T['length'] extends N ? T : Tuple<N, [...T, DerValue]>;

/** At least `count` values; damaged certificates have fewer. */
function need<N extends number>(values: DerValue[], count: N): Tuple<N> {
  if (values.length < count) throw new AutocertError('INVALID_INPUT', 'the certificate is damaged: fields are missing');
  return values as Tuple<N>;
}

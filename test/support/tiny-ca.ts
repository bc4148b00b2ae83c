/**
 * Throw-away certificates for tests, made with nothing but `node:crypto`: roots, intermediates and leaves, valid or wrong
 * in any way that a test asks for.
 * @module
 */
import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { isIPv4 } from 'node:net';
import { bitString, encode, integer, oid, sequence, toPem } from '../../runtime/x509/der.ts';

/** A certificate and its key. */
export interface TestCertificate {
  readonly commonName: string;
  readonly certificatePem: string;
  readonly privateKey: KeyObject;
  /** The same key, PKCS#8. */
  readonly keyPem: string;
}

/** What {@link issue} puts into a certificate. */
export interface IssueOptions {
  /** Absent: signed by itself. */
  readonly issuer?: TestCertificate;
  /** @default false */
  readonly ca?: boolean;
  /** DNS names and IPv4 addresses. */
  readonly names?: readonly string[];
  /** @default - a minute ago */
  readonly notBefore?: Date;
  /** @default - in a day */
  readonly notAfter?: Date;
  /** Key of the requester. @default - a new one */
  readonly publicKey?: KeyObject;
}

const MINUTE = 60_000;
const ECDSA_SHA256 = sequence(oid('1.2.840.10045.4.3.2'));
const TRUE = encode(0x01, Buffer.of(0xff));

/** Issues a certificate for `commonName`. */
export function issue(commonName: string, options: IssueOptions = {}): TestCertificate {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const publicKey = options.publicKey ?? pair.publicKey;
  const signer = options.issuer?.privateKey ?? pair.privateKey;
  const now = Date.now();
  const body = sequence(
    encode(0xa0, integer(2n)),
    integer(BigInt(`0x01${randomBytes(15).toString('hex')}`)),
    ECDSA_SHA256,
    distinguishedName(options.issuer?.commonName ?? commonName),
    sequence(
      utcTime(options.notBefore ?? new Date(now - MINUTE)),
      utcTime(options.notAfter ?? new Date(now + 1440 * MINUTE)),
    ),
    distinguishedName(commonName),
    publicKey.export({ type: 'spki', format: 'der' }),
    encode(0xa3, sequence(...extensions(options))),
  );
  return {
    commonName,
    privateKey: pair.privateKey,
    certificatePem: toPem('CERTIFICATE', sequence(body, ECDSA_SHA256, bitString(sign('sha256', body, signer)))),
    keyPem: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

/** A root, an intermediate, and a leaf for `names` on it. */
export function hierarchy(names: readonly string[] = ['localhost', '127.0.0.1']) {
  const root = issue('Test Root CA', { ca: true });
  const intermediate = issue('Test Intermediate CA', { ca: true, issuer: root });
  const leaf = issue(names[0] ?? 'leaf', { issuer: intermediate, names });
  return { root, intermediate, leaf, chain: [leaf.certificatePem, intermediate.certificatePem] };
}

function distinguishedName(commonName: string): Buffer {
  return sequence(encode(0x31, sequence(oid('2.5.4.3'), encode(0x0c, Buffer.from(commonName)))));
}

/** A time before 2050, DER. */
export function utcTime(date: Date): Buffer {
  const text = date.toISOString().replace(/[-:T]|\.\d+/g, '');
  return encode(0x17, Buffer.from(text.slice(2)));
}

function extensions({ ca = false, names = [] }: IssueOptions): Buffer[] {
  const basicConstraints = extension('2.5.29.19', ca ? sequence(TRUE) : sequence());
  if (names.length === 0) return [basicConstraints];
  const alternatives = names.map((name) =>
    isIPv4(name) ? encode(0x87, Buffer.from(name.split('.').map(Number))) : encode(0x82, Buffer.from(name)),
  );
  return [basicConstraints, extension('2.5.29.17', sequence(...alternatives))];
}

function extension(id: string, value: Buffer): Buffer {
  return sequence(oid(id), encode(0x04, value));
}

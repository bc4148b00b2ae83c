/**
 * Certificate requests with names in them, as `step` and `openssl` make them; the project's own have none.
 * @module
 */
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { isIPv4 } from 'node:net';
import { bitString, encode, integer, oid, sequence, toPem } from '../../runtime/x509/der.ts';

/** Names for a certificate request. */
export interface RequestNames {
  readonly commonName?: string;
  readonly dns?: readonly string[];
  /** IPv4 only. */
  readonly ip?: readonly string[];
  readonly uri?: readonly string[];
}

type Keys = { readonly publicKey: KeyObject; readonly privateKey: KeyObject };

/** A request, PEM, signed by `keys` (EC P-256 unless given). */
export function requestWithNames(
  names: RequestNames,
  keys: Keys = generateKeyPairSync('ec', { namedCurve: 'P-256' }),
): string {
  const spki = keys.publicKey.export({ type: 'spki', format: 'der' });
  const info = sequence(integer(0n), subjectOf(names), spki, encode(0xa0, ...extensionRequest(names)));
  const [algorithm, hash] = ALGORITHMS[keys.privateKey.asymmetricKeyType ?? ''] ?? [];
  if (algorithm === undefined) throw new Error('the key is neither EC, RSA nor Ed25519');
  return toPem('CERTIFICATE REQUEST', sequence(info, algorithm, bitString(sign(hash, info, keys.privateKey))));
}

const ALGORITHMS: Record<string, [Buffer, string | undefined]> = {
  ec: [sequence(oid('1.2.840.10045.4.3.2')), 'sha256'],
  rsa: [sequence(oid('1.2.840.113549.1.1.11'), encode(0x05)), 'sha256'],
  ed25519: [sequence(oid('1.3.101.112')), undefined],
};

function subjectOf({ commonName }: RequestNames): Buffer {
  if (commonName === undefined) return sequence();
  return sequence(encode(0x31, sequence(oid('2.5.4.3'), encode(0x0c, Buffer.from(commonName)))));
}

function extensionRequest({ dns = [], ip = [], uri = [] }: RequestNames): Buffer[] {
  const text = (tag: number) => (value: string) => encode(tag, Buffer.from(value));
  const address = (value: string) => {
    if (!isIPv4(value)) throw new Error(`${value} is not an IPv4 address`);
    return encode(0x87, Buffer.from(value.split('.').map(Number)));
  };
  const names = [...dns.map(text(0x82)), ...uri.map(text(0x86)), ...ip.map(address)];
  if (names.length === 0) return [];
  const extension = sequence(oid('2.5.29.17'), encode(0x04, sequence(...names)));
  return [sequence(oid('1.2.840.113549.1.9.14'), encode(0x31, sequence(extension)))];
}

/**
 * The extensions of a certificate in words, line by line as `step certificate inspect` has them.
 * @module
 */
import { SocketAddress } from 'node:net';
import { type DerValue, readAll, readInteger, readOid, readOne, readText, Tag } from './der-reader.ts';

/** One extension. */
export interface ExtensionDescription {
  readonly oid: string;
  /** Such as `X509v3 Key Usage`; the OID when it is unknown. */
  readonly label: string;
  readonly critical: boolean;
  /** What it says, in words. */
  readonly lines: readonly string[];
  /** Of step's own extension, the content. */
  readonly provisioner?: StepProvisioner;
}

/** Which provisioner of step-ca vouched for the names. */
export interface StepProvisioner {
  /** Such as `JWK`. */
  readonly type: string;
  readonly name: string;
  /** Id of its key; may be empty. */
  readonly credentialId: string;
  readonly details: readonly (readonly [string, string])[];
}

/** Extension in which step-ca notes the provisioner. */
export const STEP_PROVISIONER_OID = '1.3.6.1.4.1.37476.9000.64.1';

const KEY_USAGES = [
  'Digital Signature',
  'Content Commitment',
  'Key Encipherment',
  'Data Encipherment',
  'Key Agreement',
  'Certificate Sign',
  'CRL Sign',
  'Encipher Only',
  'Decipher Only',
];

const EXTENDED_KEY_USAGES: Readonly<Record<string, string>> = {
  '2.5.29.37.0': 'Any Usage',
  '1.3.6.1.5.5.7.3.1': 'Server Authentication',
  '1.3.6.1.5.5.7.3.2': 'Client Authentication',
  '1.3.6.1.5.5.7.3.3': 'Code Signing',
  '1.3.6.1.5.5.7.3.4': 'E-mail Protection',
  '1.3.6.1.5.5.7.3.5': 'IPSec End System',
  '1.3.6.1.5.5.7.3.6': 'IPSec Tunnel',
  '1.3.6.1.5.5.7.3.7': 'IPSec User',
  '1.3.6.1.5.5.7.3.8': 'Time Stamping',
  '1.3.6.1.5.5.7.3.9': 'OCSP Signing',
};

/** Types of step-ca's provisioners, by number. */
const PROVISIONER_TYPES = [
  'NOOP',
  'JWK',
  'OIDC',
  'GCP',
  'AWS',
  'Azure',
  'ACME',
  'X5C',
  'K8sSA',
  'SSHPOP',
  'SCEP',
  'Nebula',
];

interface Reader {
  readonly label: string;
  readonly lines: (value: Buffer) => string[];
}

const READERS: Readonly<Record<string, Reader>> = {
  '2.5.29.14': { label: 'X509v3 Subject Key Identifier', lines: (value) => [colons(readOne(value).bytes)] },
  '2.5.29.15': { label: 'X509v3 Key Usage', lines: keyUsage },
  '2.5.29.17': { label: 'X509v3 Subject Alternative Name', lines: alternativeNames },
  '2.5.29.19': { label: 'X509v3 Basic Constraints', lines: basicConstraints },
  '2.5.29.30': { label: 'X509v3 Name Constraints', lines: nameConstraints },
  '2.5.29.31': { label: 'X509v3 CRL Distribution Points', lines: distributionPoints },
  '2.5.29.32': { label: 'X509v3 Certificate Policies', lines: policies },
  '2.5.29.35': { label: 'X509v3 Authority Key Identifier', lines: authorityKeyIdentifier },
  '2.5.29.37': { label: 'X509v3 Extended Key Usage', lines: extendedKeyUsage },
  '1.3.6.1.5.5.7.1.1': { label: 'Authority Information Access', lines: informationAccess },
  '2.16.840.1.113730.1.13': { label: 'Netscape Comment', lines: (value) => [readText(readOne(value))] },
  [STEP_PROVISIONER_OID]: { label: 'X509v3 Step Provisioner', lines: stepProvisioner },
};

/** Describes one `Extension` of RFC 5280. */
export function describeExtension({ bytes }: DerValue): ExtensionDescription {
  const fields = readAll(bytes);
  const oid = readOid(fields[0] ?? readOne(bytes));
  const value = fields.at(-1)?.bytes ?? bytes;
  const { label, lines } = READERS[oid] ?? { label: oid, lines: printable };
  return {
    oid,
    label,
    critical: fields[1]?.tag === Tag.boolean && fields[1].bytes[0] !== 0,
    lines: lines(value),
    ...(oid === STEP_PROVISIONER_OID ? { provisioner: readStepProvisioner(value) } : {}),
  };
}

function keyUsage(value: Buffer): string[] {
  const [, ...bits] = readOne(value).bytes;
  const usages = KEY_USAGES.filter((_, bit) => (bits[bit >> 3] ?? 0) & (0x80 >> (bit & 7)));
  return [usages.join(', ') || 'None'];
}

function extendedKeyUsage(value: Buffer): string[] {
  const oids = readAll(readOne(value).bytes).map(readOid);
  const known = oids.flatMap((oid) => EXTENDED_KEY_USAGES[oid] ?? []);
  return [[...known, ...oids.filter((oid) => EXTENDED_KEY_USAGES[oid] === undefined)].join(', ')];
}

function alternativeNames(value: Buffer): string[] {
  const names = readAll(readOne(value).bytes);
  const line = (tag: number, prefix: string, text: (bytes: Buffer) => string) => {
    const texts = names.filter((name) => name.tag === tag).map(({ bytes }) => `${prefix}:${text(bytes)}`);
    return texts.length > 0 ? [texts.join(', ')] : [];
  };
  return [
    ...line(GENERAL_NAME.dns, 'DNS', ascii),
    ...line(GENERAL_NAME.email, 'email', ascii),
    ...line(GENERAL_NAME.ip, 'IP Address', ipText),
    ...line(GENERAL_NAME.uri, 'URI', ascii),
  ];
}

function basicConstraints(value: Buffer): string[] {
  const fields = readAll(readOne(value).bytes);
  const ca = fields.some(({ tag, bytes }) => tag === Tag.boolean && bytes[0] !== 0);
  const pathLength = fields.find(({ tag }) => tag === Tag.integer);
  return [`CA:${ca ? 'TRUE' : 'FALSE'}${pathLength ? `, pathlen:${readInteger(pathLength)}` : ''}`];
}

function nameConstraints(value: Buffer): string[] {
  const parts: readonly [number, string][] = [
    [0xa0, 'Permitted:'],
    [0xa1, 'Excluded:'],
  ];
  const kinds: readonly [number, string, (bytes: Buffer) => string][] = [
    [GENERAL_NAME.dns, 'DNS', ascii],
    [GENERAL_NAME.email, 'Email', ascii],
    [GENERAL_NAME.uri, 'URI', ascii],
    [GENERAL_NAME.ip, 'IP Range', ipRange],
  ];
  const trees = readAll(readOne(value).bytes);
  return parts.flatMap(([tag, title]) => {
    const names = trees
      .filter((tree) => tree.tag === tag)
      .flatMap(({ bytes }) => readAll(bytes).flatMap((tree) => readAll(tree.bytes)));
    const lines = kinds.flatMap(([kind, name, text]) => {
      const values = names.filter((entry) => entry.tag === kind).map(({ bytes }) => text(bytes));
      return values.length > 0 ? [`  ${name}: ${values.join(', ')}`] : [];
    });
    return lines.length > 0 ? [title, ...lines] : [];
  });
}

function distributionPoints(value: Buffer): string[] {
  const uris = readAll(readOne(value).bytes).flatMap((point) => urisWithin(point.bytes));
  return uris.length > 0 ? ['Full Name:', `  ${uris.map((uri) => `URI:${uri}`).join(', ')}`] : [];
}

/** DistributionPoint → [0] distributionPoint → [0] fullName → GeneralNames. */
function urisWithin(point: Buffer): string[] {
  const tagged = (bytes: Buffer) => readAll(bytes).filter(({ tag }) => tag === 0xa0);
  const names = tagged(point).flatMap(({ bytes }) => tagged(bytes).flatMap((full) => readAll(full.bytes)));
  return names.filter(({ tag }) => tag === GENERAL_NAME.uri).map(({ bytes }) => ascii(bytes));
}

function policies(value: Buffer): string[] {
  return readAll(readOne(value).bytes).map((policy) => `Policy: ${readOid(readAll(policy.bytes)[0] ?? policy)}`);
}

function authorityKeyIdentifier(value: Buffer): string[] {
  const id = readAll(readOne(value).bytes).find(({ tag }) => tag === 0x80);
  return [['keyid', ...(id ? [colons(id.bytes)] : [])].join(':')];
}

function informationAccess(value: Buffer): string[] {
  const entries = readAll(readOne(value).bytes).map(({ bytes }) => readAll(bytes));
  const line = (title: string, wanted: string) => {
    const uris = entries.flatMap(([method, location]) =>
      method && location?.tag === GENERAL_NAME.uri && readOid(method) === wanted
        ? [`URI:${ascii(location.bytes)}`]
        : [],
    );
    return uris.length > 0 ? [`${title} - ${uris.join(',')}`] : [];
  };
  return [...line('OCSP', '1.3.6.1.5.5.7.48.1'), ...line('CA Issuers', '1.3.6.1.5.5.7.48.2')];
}

function stepProvisioner(value: Buffer): string[] {
  const { type, name, credentialId, details } = readStepProvisioner(value);
  return [
    `Type: ${type}`,
    `Name: ${name}`,
    ...(credentialId ? [`CredentialID: ${credentialId}`] : []),
    ...details.map(([key, detail]) => `${key}: ${detail}`),
  ];
}

/** Decodes step's provisioner extension: a sequence of type, name, id of the key, and texts in pairs. */
function readStepProvisioner(value: Buffer): StepProvisioner {
  const [type, name, credential, pairs] = readAll(readOne(value).bytes);
  const number = type ? Number(readInteger(type)) : -1;
  const texts = pairs ? readAll(pairs.bytes).map(readText) : [];
  return {
    type: PROVISIONER_TYPES[number] ?? `${number} (unknown)`,
    name: name?.bytes.toString() ?? '',
    credentialId: credential?.bytes.toString() ?? '',
    details: texts.flatMap((key, index) => (index % 2 === 0 ? [[key, texts[index + 1] ?? '-'] as const] : [])),
  };
}

/** A well-formed UTF-8 sequence of several bytes, else one byte; over a string of bytes. */
const UTF8_CHARACTER = /[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}|./gs;

/** Of an unknown extension, what can be read; a dot for each byte that cannot. */
function printable(value: Buffer): string[] {
  const characters = value.toString('latin1').match(UTF8_CHARACTER) ?? [];
  const text = characters.map((bytes) => Buffer.from(bytes, 'latin1').toString('utf8')).join('');
  return [text.replace(/[^\p{L}\p{M}\p{N}\p{P}\p{S} ]|\ufffd/gu, '.')];
}

/** Context tags of GeneralName. */
const GENERAL_NAME = { email: 0x81, dns: 0x82, uri: 0x86, ip: 0x87 } as const;

const ascii = (bytes: Buffer) => bytes.toString('latin1');

const colons = (bytes: Buffer) => bytes.toString('hex').toUpperCase().match(/../g)?.join(':') ?? '';

const MAPPED_PREFIX = Buffer.from('00000000000000000000ffff', 'hex');

function ipText(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join('.');
  if (bytes.length !== 16) return `? ${bytes.toString('hex')}`;
  if (bytes.subarray(0, 12).equals(MAPPED_PREFIX)) return bytes.subarray(12).join('.');
  const address = bytes.toString('hex').match(/..../g)?.join(':') ?? '';
  return new SocketAddress({ address, family: 'ipv6' }).address;
}

/** Address and mask, as a CIDR block. */
function ipRange(bytes: Buffer): string {
  const half = bytes.length / 2;
  const ones = bytes.subarray(half).reduce((sum, byte) => sum + byte.toString(2).replaceAll('0', '').length, 0);
  return `${ipText(bytes.subarray(0, half))}/${ones}`;
}

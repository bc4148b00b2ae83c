/**
 * A certificate as text, in the layout of `step certificate inspect` 0.21, which the tutorial's readers know.
 * @module
 */
import type { CertificateDescription, NameAttribute, PublicKeyDescription } from './certificate-description.ts';

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** Everything in the certificate; ends in a newline. */
export function certificateText(certificate: CertificateDescription): string {
  const { serialNumber, signatureAlgorithm, version, extensions } = certificate;
  // Like its model, an issuer without a name takes the end of its line with it.
  const issuer = certificate.issuer.length > 0 ? `${names(certificate.issuer)}\n` : '';
  const subject = certificate.subject.length > 0 ? ` ${names(certificate.subject)}` : '';
  const lines = [
    'Certificate:',
    '    Data:',
    `        Version: ${version} (0x${version - 1})`,
    `        Serial Number: ${serialNumber} (0x${BigInt(serialNumber).toString(16)})`,
    `    Signature Algorithm: ${signatureAlgorithm}`,
    `        Issuer: ${issuer}        Validity`,
    `            Not Before: ${time(certificate.notBefore)}`,
    `            Not After : ${time(certificate.notAfter)}`,
    `        Subject:${subject}`,
    '        Subject Public Key Info:',
    ...publicKey(certificate.publicKey),
    ...(extensions.length > 0 ? ['        X509v3 extensions:'] : []),
    ...extensions.flatMap(({ label, critical, lines }) => [
      `            ${label}:${critical ? ' critical' : ''}`,
      ...lines.map((line) => `                ${line}`),
    ]),
    `    Signature Algorithm: ${signatureAlgorithm}`,
    ...rows(certificate.signature, 18, 9),
  ];
  return `${lines.join('\n')}\n`;
}

/** The gist in a few lines, as `step certificate inspect --short` has it; ends in a newline. */
export function certificateShortText(certificate: CertificateDescription): string {
  const commonName = lastOf(certificate.subject, 'CN');
  const type = certificate.isCa ? `${certificate.isSelfSigned ? 'Root' : 'Intermediate'} CA` : 'TLS';
  const [first = '', ...others] = [commonName, ...sansOf(certificate).filter((san) => san !== commonName)].filter(
    Boolean,
  );
  const provisioner = provisionerOf(certificate);
  const lines = [
    `X.509v3 ${type} Certificate (${keyType(certificate.publicKey)}) [Serial: ${abbreviated(certificate.serialNumber)}]`,
    first ? `  Subject:     ${first}` : '  Subject: ',
    ...others.map((name) => `               ${name}`),
    `  Issuer:      ${lastOf(certificate.issuer, 'CN')}`,
    ...(provisioner ? [`  Provisioner: ${provisioner}`] : []),
    `  Valid from:  ${seconds(certificate.notBefore)}`,
    `          to:  ${seconds(certificate.notAfter)}`,
  ];
  return `${lines.join('\n')}\n`;
}

const names = (attributes: readonly NameAttribute[]) =>
  attributes.map(({ type, value }) => `${type}=${value}`).join(',');

const lastOf = (attributes: readonly NameAttribute[], wanted: string) =>
  attributes.findLast(({ type }) => type === wanted)?.value ?? '';

const seconds = (date: Date) => date.toISOString().replace('.000Z', 'Z');

function time(date: Date): string {
  const clock = date.toISOString().slice(11, 19);
  return `${MONTHS[date.getUTCMonth()]} ${date.getUTCDate()} ${clock} ${date.getUTCFullYear()} UTC`;
}

function publicKey(key: PublicKeyDescription): string[] {
  const head = `            Public Key Algorithm: ${key.algorithm}`;
  const size = (bits: number) => `                Public-Key: (${bits} bit)`;
  const number = (name: string, hex: string) => [`                ${name}:`, ...rows(hex, 15, 20)];
  switch (key.algorithm) {
    case 'ECDSA':
      return [
        head,
        size(key.bits),
        ...number('X', key.x),
        ...number('Y', key.y),
        `                Curve: ${key.curve}`,
      ];
    case 'RSA': {
      const exponent = `                Exponent: ${key.exponent} (0x${key.exponent.toString(16)})`;
      return [head, size(key.bits), ...number('Modulus', key.modulus), exponent];
    }
    case 'Ed25519':
      // Its model prints the number of bytes here and calls them bits.
      return [head, size(key.bits / 8), ...rows(key.key, 15, 20)];
  }
}

/** Hex in rows of so many bytes; every byte but the last is followed by a colon, also at the end of a row. */
function rows(hex: string, bytesPerRow: number, indent: number): string[] {
  const bytes = hex.match(/../g) ?? [];
  const count = Math.ceil(bytes.length / bytesPerRow);
  return Array.from({ length: count }, (_, row) => {
    const last = row === count - 1;
    const text = bytes.slice(row * bytesPerRow, (row + 1) * bytesPerRow).join(':');
    return `${' '.repeat(indent)}${text}${last ? '' : ':'}`;
  });
}

function keyType(key: PublicKeyDescription): string {
  return `${key.algorithm} ${key.algorithm === 'ECDSA' ? key.curve : key.bits}`;
}

const SHORT_ORDER = ['DNS', 'IP Address', 'email', 'URI'];

function sansOf({ extensions }: CertificateDescription): string[] {
  const lines = extensions.find(({ oid }) => oid === '2.5.29.17')?.lines ?? [];
  const sans = lines.flatMap((line) => line.split(', ')).map((name) => name.split(/:(.*)/s));
  return SHORT_ORDER.flatMap((kind) => sans.flatMap(([type, name = '']) => (type === kind ? [name] : [])));
}

function provisionerOf({ extensions }: CertificateDescription): string | undefined {
  const provisioner = extensions.find((extension) => extension.provisioner)?.provisioner;
  const { name, credentialId } = provisioner ?? {};
  return credentialId ? `${name} [ID: ${abbreviated(credentialId)}]` : name;
}

const abbreviated = (text: string) => (text.length > 8 ? `${text.slice(0, 4)}...${text.slice(-4)}` : text);

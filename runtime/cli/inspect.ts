/**
 * `autocert inspect` and `autocert fingerprint`.
 * @module
 */
import { readFileSync, statSync } from 'node:fs';
import { fingerprintOf, splitPem } from '../lib/certificate.ts';
import { describeCertificate } from '../lib/certificate-description.ts';
import { certificateShortText, certificateText } from '../lib/certificate-text.ts';
import { AutocertError, messageOf } from '../lib/errors.ts';

/** How {@link inspectFile} shows a certificate. */
export interface InspectOptions {
  readonly format: 'text' | 'json';
  readonly short: boolean;
  /** All certificates of the file. */
  readonly bundle: boolean;
}

/** A chain of a dozen certificates is 20 kB. */
const MAX_BYTES = 1 << 20;

function certificatesIn(file: string): string[] {
  let certificates: string[];
  try {
    if (statSync(file).size > MAX_BYTES) throw new Error(`it is larger than ${MAX_BYTES} bytes`);
    certificates = splitPem(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new AutocertError('INVALID_INPUT', `cannot read ${JSON.stringify(file)}: ${messageOf(error)}`);
  }
  if (certificates.length > 0) return certificates;
  throw new AutocertError(
    'INVALID_INPUT',
    `${JSON.stringify(file)} has no certificate: want PEM, -----BEGIN CERTIFICATE-----`,
  );
}

/** The certificates of a file as text or JSON; ends in a newline. */
export function inspectFile(file: string, { format, short, bundle }: InspectOptions): string {
  const all = certificatesIn(file);
  const described = (bundle ? all : all.slice(0, 1)).map(describeCertificate);
  if (format === 'json') return `${JSON.stringify(bundle ? described : described[0], null, 2)}\n`;
  return described.map(short ? certificateShortText : certificateText).join('');
}

/** SHA-256 of the file's first certificate, lower-case hex. */
export function fingerprintFile(file: string): string {
  return fingerprintOf(certificatesIn(file)[0] ?? '');
}

/**
 * `autocert inspect` and `autocert fingerprint`.
 * @module
 */

import { AutocertError } from '../lib/errors.ts';
import { readTextFile } from '../lib/text-file.ts';
import { fingerprintOf, splitPem } from '../x509/certificate.ts';
import { describeCertificate } from '../x509/certificate-description.ts';
import { certificateShortText, certificateText } from '../x509/certificate-text.ts';

/** How {@link inspectFile} shows a certificate. */
export interface InspectOptions {
  readonly format: 'text' | 'json';
  readonly short: boolean;
  /** All certificates of the file. */
  readonly bundle: boolean;
}

function certificatesIn(file: string): string[] {
  const certificates = splitPem(readTextFile(file, 'INVALID_INPUT'));
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

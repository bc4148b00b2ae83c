/**
 * Judges the set of files in hand.
 * @module
 */
import { isForKey, splitPem, type Validity, validityOf, verifyChain } from '../x509/certificate.ts';
import { type CertificateSet, readCertificateFiles } from './certificate-files.ts';
import { messageOf } from '../lib/errors.ts';

/** A set that can be used now, or why there is none. */
export type Held =
  | { readonly usable: true; readonly set: CertificateSet; readonly validity: Validity }
  | { readonly usable: false; readonly reason: string };

/** Reads the set in `dir`: complete, for its key, leading to its own roots, valid at `now`. Never throws. */
export function readHeld(dir: string, now: Date): Held {
  try {
    const set = readCertificateFiles(dir);
    if (set === undefined) return { usable: false, reason: 'there are no files yet' };
    if (!isForKey(set.certificate, set.key)) return { usable: false, reason: 'the certificate is for another key' };
    verifyChain(splitPem(set.certificate), splitPem(set.roots), now);
    return { usable: true, set, validity: validityOf(set.certificate) };
  } catch (error) {
    return { usable: false, reason: messageOf(error) };
  }
}

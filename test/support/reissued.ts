/**
 * Certificates that differ in their time alone.
 * @module
 */
import { type KeyObject, sign, X509Certificate } from 'node:crypto';
import { bitString, sequence, toPem } from '../../runtime/x509/der.ts';
import { readAll, readOne } from '../../runtime/x509/der-reader.ts';
import { utcTime } from './tiny-ca.ts';

/** Where RFC 5280, 4.1 has the validity: behind version, serial number, signature algorithm and issuer. */
const VALIDITY = 4;

/** The same certificate again, for another time; its issuer has a key on P-256. Making one from its parts costs far more. */
export function reissued(pem: string, issuerKey: KeyObject, notBefore: Date, notAfter: Date): string {
  const [old, algorithm] = readAll(readOne(new X509Certificate(pem).raw).bytes);
  if (old === undefined || algorithm === undefined) throw new Error('no certificate');
  const fields = readAll(old.bytes).map(({ whole }) => whole);
  const body = sequence(...fields.with(VALIDITY, sequence(utcTime(notBefore), utcTime(notAfter))));
  return toPem('CERTIFICATE', sequence(body, algorithm.whole, bitString(sign('sha256', body, issuerKey))));
}

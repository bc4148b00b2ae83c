/**
 * Notices that an agent has replaced the files of a pod.
 * @module
 */
import { X509Certificate } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { CertificateFile } from '../../contract.ts';

/** How often to look, in milliseconds. */
const INTERVAL = 50;

/** The leaf certificate in a pod's folder. */
export const certificateIn = (dir: string) => new X509Certificate(readFileSync(join(dir, CertificateFile.certificate)));

/** Calls back with the new leaf after each renewal, until the signal aborts. */
export function watchRenewals(dir: string, signal: AbortSignal, onRenewal: (leaf: X509Certificate) => void): void {
  const current = () => readlinkSync(join(dir, '..data'));
  let before = current();
  const timer = setInterval(() => {
    const now = current();
    if (now === before) return;
    before = now;
    onRenewal(certificateIn(dir));
  }, INTERVAL);
  signal.addEventListener('abort', () => clearInterval(timer), { once: true });
}

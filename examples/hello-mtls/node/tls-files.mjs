// What autocert gives every container of an annotated pod, and how to notice that it was renewed.
import { readFileSync, watch } from 'node:fs';
import { join } from 'node:path';

const DIR = process.env.CERTIFICATE_DIR ?? '/var/run/autocert.step.sm';

/** The certificate with its intermediate, the private key and the root certificate(s), as `node:tls` takes them. */
export function readTlsFiles() {
  const read = (name) => readFileSync(join(DIR, '..data', name));
  try {
    return { cert: read('site.crt'), key: read('site.key'), ca: read('root.crt') };
  } catch (error) {
    // `..data` names one consistent set; a set swapped between two reads is gone, and the next one is complete.
    if (error.code === 'ENOENT') return { cert: read('site.crt'), key: read('site.key'), ca: read('root.crt') };
    throw error;
  }
}

/** Calls back with the new files after each renewal. The three files are replaced as one set, by renaming `..data`. */
export function onRenewal(callback) {
  let before = readTlsFiles();
  const check = () => {
    const now = readTlsFiles();
    if (now.cert.equals(before.cert) && now.ca.equals(before.ca)) return;
    before = now;
    callback(now);
  };
  watch(DIR, check).unref();
  setInterval(check, 60_000).unref(); // file systems without events
}

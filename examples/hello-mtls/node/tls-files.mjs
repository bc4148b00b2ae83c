// What autocert gives every container of an annotated pod, and how to notice that it was renewed.
import { readFileSync, realpathSync, watch } from 'node:fs';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';

const DIR = process.env.CERTIFICATE_DIR ?? '/var/run/autocert.step.sm';

/** The certificate with its intermediate, the private key and the root certificate(s), as `node:tls` takes them. */
export function readTlsFiles() {
  // `..data` names one consistent set, and is renamed to the next: resolve it once, and read all three there.
  const read = () => {
    const set = realpathSync(join(DIR, '..data'));
    const [cert, key, ca] = ['site.crt', 'site.key', 'root.crt'].map((name) => readFileSync(join(set, name)));
    return { cert, key, ca };
  };
  try {
    return read();
  } catch (error) {
    if (error.code === 'ENOENT') return read(); // replaced between two reads: the next one is complete
    throw error;
  }
}

/** Calls back with the new files after each renewal. The three files are replaced as one set, by renaming `..data`. */
export function onRenewal(callback) {
  let before = readTlsFiles();
  let said;
  const check = () => {
    try {
      const now = readTlsFiles();
      if (now.cert.equals(before.cert) && now.ca.equals(before.ca)) return;
      createSecureContext(now); // throws if they are no good
      before = now;
      callback(now);
    } catch (error) {
      // What was good is used on.
      if (error.message !== said) console.error(`certificate not read anew: ${error.message}`);
      said = error.message;
    }
  };
  watch(DIR, check).unref();
  setInterval(check, 60_000).unref(); // file systems without events
}

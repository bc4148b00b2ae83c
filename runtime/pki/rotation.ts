/**
 * The root's rotation up to the switch: `announce`, `switch`, and `abort`. What remains of it is `retire.ts`.
 *
 * Each command may be killed at any point and run again, for each goes by what the objects say: it writes those that are
 * not yet as they are to be, in an order in which every intermediate state works.
 * @module
 */
import { PkiFile } from '../contract.ts';
import { AutocertError } from '../lib/errors.ts';
import { fingerprintOf, validityOf } from '../x509/certificate.ts';
import { createKey, encryptKey } from '../x509/private-key.ts';
import { nameConstraintsOf, pathLengthOf } from '../x509/signing.ts';
import { CROSS_PATH_LENGTH, createCross, createNextRoot } from './authorities.ts';
import type { ClusterObjects } from './cluster-objects.ts';
import { type ClusterPki, interpret, loadPki, readObjects, sameCertificate, withoutRaces } from './cluster-pki.ts';
import { newIntermediate, putIntermediate, withCertificates } from './intermediate.ts';
import { caPasswordsOf, type RootKeyFile, requireSigner } from './root-key.ts';
import { day, title } from './words.ts';

/** Options of {@link announce} and {@link switchRoot}. */
export interface RotationOptions {
  /** Of the old root for `announce`, of the new one for `switch`. Absent: the key in the cluster. */
  readonly rootKey?: RootKeyFile;
  readonly now: Date;
}

/**
 * Makes the new root and its cross certificate, and has both roots trusted. The text for whoever asked.
 * @throws AutocertError `INVALID_INPUT` when the old root's key is not at hand
 */
export function announce(objects: ClusterObjects, options: RotationOptions): Promise<string> {
  return withoutRaces(async () => {
    const pki = await loadPki(objects);
    if (pki.phase === 'switched' || pki.phase === 'retiring') return alreadySwitched(pki);
    // Before anything is written: without the intermediate's key nothing of this can be.
    withCertificates(objects, pki, pki.roots, pki.chain);
    if (pki.nextRoot === undefined) await createNext(objects, pki, options);
    const announced = interpret(objects, await readObjects(objects));
    const { nextRoot } = announced ?? {};
    if (!announced || !nextRoot) throw gone();
    const roots = [...announced.roots.filter((root) => !sameCertificate(root, nextRoot)), nextRoot];
    await putIntermediate(objects, announced.stored, withCertificates(objects, announced, roots, announced.chain));
    if (!sameCertificate((await objects.find('nextRoot'))?.files[PkiFile.root] ?? '', nextRoot)) {
      await withdraw(objects, nextRoot);
      throw gone();
    }
    return announcedText(objects, pki.signingRoot, nextRoot);
  });
}

/**
 * Has the CA sign under the new root, and send the cross certificate along. The text for whoever asked.
 * @throws AutocertError `INVALID_INPUT` when the new root was not announced, or its key is not at hand
 */
export function switchRoot(objects: ClusterObjects, { rootKey, now }: RotationOptions): Promise<string> {
  return withoutRaces(async () => {
    const pki = await loadPki(objects);
    const { phase, stored, roots, nextRoot, cross } = pki;
    if (nextRoot === undefined || cross === undefined || phase === 'announcing') {
      throw new AutocertError('INVALID_INPUT', 'no new root is announced: run autocert pki rotate announce first');
    }
    if (phase !== 'announced') {
      await putIntermediate(objects, stored, withCertificates(objects, pki, roots, pki.chain));
      return alreadySwitched(pki);
    }
    const signer = requireSigner(objects, pki, nextRoot, rootKey);
    const [password] = caPasswordsOf(objects, stored);
    const nameConstraints = nameConstraintsOf(pki.chain[0]);
    const options = { signer, roots, others: [cross], nameConstraints, password, now };
    await putIntermediate(objects, stored, await newIntermediate(options));
    return `The CA signs under ${title(nextRoot)} from now on, as soon as it has taken the new intermediate into use.
Its chains carry the new root's cross certificate, so pods that know the old root only go on as well.

Next, when status says so: autocert pki rotate retire
`;
  });
}

/**
 * Before the switch: has the announced root trusted no more, and forgets it. The text for whoever asked.
 * @throws AutocertError `INVALID_INPUT` after the switch
 */
export function abort(objects: ClusterObjects): Promise<string> {
  return withoutRaces(async () => {
    const pki = await loadPki(objects);
    const { phase, stored, roots, chain, nextRoot } = pki;
    const seen = stored.get('nextRoot');
    if (nextRoot === undefined || seen === undefined) return 'No rotation is under way: there is nothing to abort.\n';
    if (phase === 'switched' || phase === 'retiring') {
      throw new AutocertError(
        'INVALID_INPUT',
        'the CA signs under the new root already, and pods may know no other: go on (autocert pki rotate retire)',
      );
    }
    const kept = roots.filter((root) => !sameCertificate(root, nextRoot));
    await putIntermediate(objects, stored, withCertificates(objects, pki, kept, chain));
    await objects.remove('nextRoot', seen);
    // Whoever announces at the same time may have had it trusted again before it was gone.
    await withdraw(objects, nextRoot);
    return `${title(nextRoot)} is trusted no more, and its key is gone. The CA signs under ${title(pki.signingRoot)}, as before.\n`;
  });
}

/** Has a root whose key is gone trusted no more, unless the CA signs under it. */
function withdraw(objects: ClusterObjects, root: string): Promise<void> {
  return withoutRaces(async () => {
    const pki = await loadPki(objects);
    if (sameCertificate(pki.signingRoot, root)) return;
    const kept = pki.roots.filter((one) => !sameCertificate(one, root));
    await putIntermediate(objects, pki.stored, withCertificates(objects, pki, kept, pki.chain));
  });
}

const gone = () => new AutocertError('UNAVAILABLE', 'the new root is gone: somebody has aborted the rotation');

async function createNext(objects: ClusterObjects, pki: ClusterPki, { rootKey, now }: RotationOptions): Promise<void> {
  const old = requireSigner(objects, pki, pki.signingRoot, rootKey);
  const [password] = caPasswordsOf(objects, pki.stored);
  const key = await createKey();
  const next = await createNextRoot(pki.signingRoot, key, now);
  await objects.create('nextRoot', {
    [PkiFile.root]: next,
    [PkiFile.cross]: await createCross(next, old),
    [PkiFile.rootKey]: encryptKey(key, password).reveal(),
  });
}

function announcedText(objects: ClusterObjects, old: string, next: string): string {
  const isNarrow = pathLengthOf(old) <= CROSS_PATH_LENGTH;
  return `${title(next)} is announced, valid until ${day(validityOf(next).notAfter)}.
Fingerprint: ${fingerprintOf(next)}

Trusted are it and ${title(old)}. New pods have both at once, running ones within ten minutes.
Its key is in ${objects.nameOf('nextRoot')}, under the CA's password. You may move it to a safe place, as that of the old
root: save the Secret with the password, then remove ${PkiFile.rootKey} from it; switch then takes --root-key FILE.
${isNarrow ? NARROW_ROOT : ''}
Next, after ten minutes: autocert pki rotate switch
To give it up: autocert pki rotate abort
`;
}

const NARROW_ROOT = `
The old root allows for one CA certificate below it (pathlen:1). So the new root has the same name, and programs
written in Go take its chains by the new root only. Do not switch before all of them have both roots.
`;

function alreadySwitched({ nextRoot = '' }: ClusterPki): string {
  return `The CA signs under ${title(nextRoot)} already. Next, when status says so: autocert pki rotate retire\n`;
}

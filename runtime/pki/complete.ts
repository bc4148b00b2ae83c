/**
 * Makes again what was lost of a PKI in the cluster, and brings up to date what was left half-written.
 *
 * It may be killed at any point and started again, also twice at a time: the intermediate, its key and a copy of the root
 * are written in one piece, before the public copy of both. No root is made: where it was lost, it is
 * said which object to restore, and nothing is made in its place, for running pods trust the old root.
 * @module
 */
import { PkiFile } from '../contract.ts';
import { isKeyOf } from '../x509/certificate.ts';
import type { PasswordsToTry } from '../x509/private-key.ts';
import { createPassword } from './authorities.ts';
import { checkProvisioners } from './check-provisioners.ts';
import type { ClusterObjects, Files, PkiObjectKey, Stored, Written } from './cluster-objects.ts';
import { bundle, interpret, openWithAny, readObjects, type StoredObjects, signerOf, unfit } from './cluster-pki.ts';
import { newIntermediate, type PermittedNames, publish, wantedConstraints } from './intermediate.ts';
import { lost, refuseNothing, refuseWithout } from './lost-pki.ts';
import { passwordsToTry } from './next-password.ts';
import { createProvisioners, provisionerFiles } from './pki.ts';
import { caPasswordsOf } from './root-key.ts';

/** What {@link completePki} did; names such as `secret/ca-password`. */
export interface Completed {
  readonly created: readonly string[];
  readonly kept: readonly string[];
  /** Were there, and lacked something, or were behind. */
  readonly updated: readonly string[];
}

/** One run; its helpers share what was found and what was done. */
interface Run {
  readonly objects: ClusterObjects;
  readonly stored: StoredObjects;
  readonly outcomes: Map<PkiObjectKey, Written['outcome']>;
}

/**
 * See the module.
 * @param permitted names that a new intermediate may sign; absent: as the one before
 * @throws AutocertError `INVALID_CONFIG` naming what to restore; `WRONG_PASSWORD`; with status 409 when somebody else
 * changed an object meanwhile
 */
export async function completePki(objects: ClusterObjects, now: Date, permitted?: PermittedNames): Promise<Completed> {
  const stored = await readObjects(objects);
  const run: Run = { objects, stored, outcomes: new Map() };
  refuseNothing(objects, stored);
  refuseWithout(objects, stored, 'caPassword', ['rootKey', 'nextRoot', 'intermediateKey', 'provisioners']);
  refuseWithout(objects, stored, 'autocertPassword', ['provisioners']);
  const passwords = caPasswordsOf(objects, stored);
  const intermediate = await completeIntermediate(run, passwords, now, permitted);
  await completeRootKey(run, passwords);
  noted(run, 'certificates', await publish(objects, stored.get('certificates'), intermediate));
  const known = passwordsToTry(stored.get('autocertPassword')?.files ?? (await putPassword(run)));
  const provisioners = stored.get('provisioners')?.files;
  if (provisioners) await checkProvisioners(objects, provisioners, known);
  else await put(run, 'provisioners', provisionerFiles(await createProvisioners(passwords[0], known[0])));
  const { outcomes } = run;
  const having = (outcome: Written['outcome']) => [...outcomes.keys()].filter((key) => outcomes.get(key) === outcome);
  const names = (keys: readonly PkiObjectKey[]) => keys.map((key) => objects.nameOf(key));
  return {
    created: names(having('created')),
    updated: names(having('updated')),
    kept: names([...stored.keys()].filter((key) => outcomes.get(key) !== 'updated')),
  };
}

/** The files of Secret `ca-intermediate-key`, whole. */
async function completeIntermediate(
  run: Run,
  passwords: PasswordsToTry,
  now: Date,
  permitted: PermittedNames | undefined,
): Promise<Files> {
  const { objects, stored } = run;
  const pki = interpret(objects, stored);
  const seen = stored.get('intermediateKey');
  const keyPem = seen?.files[PkiFile.intermediateKey];
  if (pki && keyPem !== undefined) {
    if (!isKeyOf(openWithAny(keyPem, passwords, objects.nameOf('intermediateKey')), pki.chain[0])) {
      throw unfit(objects, 'intermediateKey', 'certificates', 'the key is not that of the intermediate certificate');
    }
    const whole = {
      [PkiFile.intermediateKey]: keyPem,
      [PkiFile.intermediate]: bundle(pki.chain),
      [PkiFile.root]: bundle(pki.roots),
    };
    return put(run, 'intermediateKey', whole, seen);
  }
  const root = pki?.signingRoot ?? stored.get('rootKey')?.files[PkiFile.root];
  const signer = root && signerOf(objects, stored, root, passwords);
  if (!signer) throw lost(objects, stored, pki === undefined ? 'root' : 'key');
  const roots = pki?.roots ?? [signer.certificatePem];
  const others = pki?.chain.slice(1) ?? [];
  const nameConstraints = wantedConstraints(permitted, pki?.chain[0]);
  const files = await newIntermediate({ signer, roots, others, nameConstraints, password: passwords[0], now });
  return put(run, 'intermediateKey', files, seen);
}

/** The password of the provisioner `autocert`, where both are lost: nothing else was made with it. */
function putPassword(run: Run): Promise<Files> {
  return put(run, 'autocertPassword', { [PkiFile.password]: createPassword().reveal() });
}

/** Creates or replaces; gives the files that count. */
async function put(run: Run, key: PkiObjectKey, files: Files, seen?: Stored): Promise<Files> {
  return noted(run, key, await run.objects.write(key, files, seen));
}

function noted({ outcomes }: Run, key: PkiObjectKey, { outcome, files }: Written): Files {
  outcomes.set(key, outcome);
  return files;
}

/** A PKI made by an older version has the root in ConfigMap `ca-certs` alone: puts the copy beside its key. */
async function completeRootKey(run: Run, passwords: PasswordsToTry): Promise<void> {
  const { objects, stored } = run;
  const seen = stored.get('rootKey');
  const keyPem = seen?.files[PkiFile.rootKey];
  if (seen === undefined || keyPem === undefined || seen.files[PkiFile.root] !== undefined) return;
  const key = openWithAny(keyPem, passwords, objects.nameOf('rootKey'));
  const root = interpret(objects, stored)?.roots.find((one) => isKeyOf(key, one));
  if (root === undefined) throw unfit(objects, 'rootKey', 'certificates', 'the key is that of none of the roots');
  await put(run, 'rootKey', { ...seen.files, [PkiFile.root]: root }, seen);
}

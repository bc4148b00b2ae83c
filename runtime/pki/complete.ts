/**
 * Makes what is missing of the PKI in the cluster, and brings up to date what was left half-written.
 *
 * It may be killed at any point and started again, also twice at a time. Each object is written before those that depend
 * on it: passwords; the root with its key, in one piece; the intermediate with its key and a copy of the root, in one
 * piece; the public copy of both; the provisioners. So what is missing after a crash can be made from what is there.
 *
 * A root is made in an empty namespace only. Where anything of a PKI is there and its root is not, that PKI has lost an
 * object: it is said which, and nothing is made in its place, for running pods trust the old root.
 * @module
 */
import { PkiFile } from '../contract.ts';
import { isKeyOf } from '../x509/certificate.ts';
import { createKey, encryptKey, type PasswordsToTry } from '../x509/private-key.ts';
import type { SigningCertificate } from '../x509/signing.ts';
import { createPassword, createRoot } from './authorities.ts';
import { checkProvisioners } from './check-provisioners.ts';
import type { ClusterObjects, Files, PkiObjectKey, Stored, Written } from './cluster-objects.ts';
import { bundle, interpret, openWithAny, readObjects, type StoredObjects, signerOf, unfit } from './cluster-pki.ts';
import { newIntermediate, publish } from './intermediate.ts';
import { checkBeginning, lost, refuseWithout } from './lost-pki.ts';
import { passwordsToTry } from './next-password.ts';
import { createProvisioners } from './pki.ts';

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
 * @param name first words of the certificates' names
 * @throws AutocertError `INVALID_CONFIG` naming what to restore; `WRONG_PASSWORD`; with status 409 when somebody else
 * changed an object meanwhile
 */
export async function completePki(objects: ClusterObjects, name: string, now: Date): Promise<Completed> {
  const stored = await readObjects(objects);
  const run: Run = { objects, stored, outcomes: new Map() };
  const isBeginning = checkBeginning(objects, stored, now);
  refuseWithout(objects, stored, 'caPassword', ['rootKey', 'nextRoot', 'intermediateKey', 'provisioners']);
  refuseWithout(objects, stored, 'autocertPassword', ['provisioners']);
  const password = () => ({ [PkiFile.password]: createPassword().reveal() });
  const passwords = passwordsToTry(await ensure(run, 'caPassword', password));
  const [autocertPassword] = passwordsToTry(await ensure(run, 'autocertPassword', password));

  const intermediate = await completeIntermediate(run, isBeginning, passwords, name, now);
  await completeRootKey(run, passwords);
  noted(run, 'certificates', await publish(objects, stored.get('certificates'), intermediate));
  const provisioners = await ensure(run, 'provisioners', async () => ({
    [PkiFile.provisioners]: JSON.stringify(await createProvisioners(passwords[0], autocertPassword), null, 2),
  }));
  const known = passwordsToTry(stored.get('autocertPassword')?.files ?? {});
  if (stored.has('provisioners')) await checkProvisioners(objects, provisioners, known);
  const { outcomes } = run;
  const having = (outcome: Written['outcome']) => [...outcomes.keys()].filter((key) => outcomes.get(key) === outcome);
  const names = (keys: readonly PkiObjectKey[]) => keys.map((key) => objects.nameOf(key));
  return {
    created: names(having('created')),
    updated: names(having('updated')),
    kept: names([...stored.keys()].filter((key) => outcomes.get(key) !== 'updated')),
  };
}

async function ensure(run: Run, key: PkiObjectKey, make: () => Promise<Files> | Files): Promise<Files> {
  const existing = run.stored.get(key);
  return existing ? existing.files : put(run, key, await make());
}

/** The files of Secret `ca-intermediate-key`, whole. */
async function completeIntermediate(
  run: Run,
  isBeginning: boolean,
  passwords: PasswordsToTry,
  name: string,
  now: Date,
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
  const signer = isBeginning
    ? await createRootKey(run, passwords, name, now)
    : root && signerOf(objects, stored, root, passwords);
  if (!signer) throw lost(objects, stored, pki === undefined ? 'root' : 'key');
  const roots = pki?.roots ?? [signer.certificatePem];
  const others = pki?.chain.slice(1) ?? [];
  // In a PKI that is there, the name of its root counts.
  const names = isBeginning ? { name } : {};
  return put(
    run,
    'intermediateKey',
    await newIntermediate({ signer, roots, others, password: passwords[0], now, ...names }),
    seen,
  );
}

/** Creates or replaces; gives the files that count. */
async function put(run: Run, key: PkiObjectKey, files: Files, seen?: Stored): Promise<Files> {
  return noted(run, key, await run.objects.write(key, files, seen));
}

function noted({ outcomes }: Run, key: PkiObjectKey, { outcome, files }: Written): Files {
  outcomes.set(key, outcome);
  return files;
}

/** Of a namespace without a PKI: key and certificate of the root, in one piece. */
async function createRootKey(
  run: Run,
  passwords: PasswordsToTry,
  name: string,
  now: Date,
): Promise<SigningCertificate> {
  const files = await ensure(run, 'rootKey', async () => {
    const key = await createKey();
    const root = await createRoot({ name, key, now });
    return { [PkiFile.rootKey]: encryptKey(key, passwords[0]).reveal(), [PkiFile.root]: root };
  });
  const { [PkiFile.rootKey]: keyPem = '', [PkiFile.root]: certificatePem = '' } = files;
  return { certificatePem, key: openWithAny(keyPem, passwords, run.objects.nameOf('rootKey')) };
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

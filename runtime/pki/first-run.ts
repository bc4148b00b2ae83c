/**
 * Makes a PKI in a namespace that has none, by an account that may create its objects and read none of them: the init Job's.
 *
 * All of it is made in memory and written as a draft, in one piece; then the objects are created from the draft, ConfigMap
 * `ca-certs`, by which everybody sees that the PKI is there, as the last; then the draft goes. Whoever is killed over it is
 * gone on from, and of several at a time all go by the draft of the fastest.
 *
 * Where anything of a PKI is there, and neither its certificates nor a draft, none is made: running pods may trust a root
 * that was lost.
 * @module
 */
import { PkiFile, PkiObject } from '../contract.ts';
import { AutocertError } from '../lib/errors.ts';
import { splitPem } from '../x509/certificate.ts';
import { type ClusterObjects, type Files, OBJECT_ORDER, type PkiObjectKey, type Stored } from './cluster-objects.ts';
import type { PermittedNames } from './intermediate.ts';
import { createPki, provisionerFiles } from './pki.ts';

/** What {@link makePki} makes. */
export interface WantedPki {
  /** First words of the certificates' names. */
  readonly name: string;
  /** Names that the intermediate may sign. Absent: any. */
  readonly permitted: PermittedNames | undefined;
  readonly now: Date;
}

/** What {@link makePki} found and did. */
export type FirstRun =
  | { readonly kind: 'made'; readonly created: readonly PkiObjectKey[] }
  /** The PKI is there. */
  | { readonly kind: 'there' }
  /** These objects are, and its certificates are not. */
  | { readonly kind: 'incomplete'; readonly there: readonly PkiObjectKey[] };

/**
 * See the module.
 * @throws AutocertError with status 404 or 409 when another run was faster: to be tried again
 */
export async function makePki(objects: ClusterObjects, wanted: WantedPki): Promise<FirstRun> {
  const found = await objects.find('draft');
  if (splitPem((await objects.find('certificates'))?.files[PkiFile.root] ?? '').length > 0) {
    if (found) await objects.remove('draft', found);
    return { kind: 'there' };
  }
  if (found === undefined) {
    const there = await takenNames(objects);
    if (there.length > 0) return { kind: 'incomplete', there };
    await objects.createNew('draft', await draftOf(wanted));
    // Whoever was faster may have been through with theirs before this one was created.
    return makePki(objects, wanted);
  }
  return { kind: 'made', created: await createFrom(objects, found) };
}

/** @throws AutocertError `INVALID_CONFIG` where {@link makePki} found a PKI incomplete */
export function refuseIncomplete({ namespace, nameOf }: ClusterObjects, there: readonly PkiObjectKey[]): never {
  throw new AutocertError(
    'INVALID_CONFIG',
    `namespace ${namespace} has ${there.map((key) => nameOf(key)).join(', ')}, and not ${nameOf('certificates')}: this is what is left of a PKI, ` +
      'so no other is made. The CronJob autocert-pki makes again what can be, and names what to restore ' +
      `(at once: kubectl -n ${namespace} create job --from=cronjob/autocert-pki now; without it: autocert pki init)`,
  );
}

/**
 * Which of the objects that a first run creates are there. Of the certificates it is known already that they are not, or
 * are empty; a new root is there beside others only.
 */
async function takenNames(objects: ClusterObjects): Promise<readonly PkiObjectKey[]> {
  const taken: PkiObjectKey[] = [];
  for (const key of OBJECT_ORDER) {
    if (key !== 'certificates' && key !== 'nextRoot' && !(await objects.isFree(key))) taken.push(key);
  }
  return taken;
}

async function createFrom(objects: ClusterObjects, draft: Stored): Promise<readonly PkiObjectKey[]> {
  const created: PkiObjectKey[] = [];
  for (const [key, files] of Object.entries(filesIn(draft.files)) as [PkiObjectKey, Files][]) {
    if (await objects.createNew(key, files)) created.push(key);
  }
  await objects.remove('draft', draft);
  return created;
}

async function draftOf({ name, permitted, now }: WantedPki): Promise<Files> {
  const pki = await createPki(name, now, permitted);
  return {
    [PkiFile.root]: pki.rootPem,
    [PkiFile.rootKey]: pki.rootKeyPem.reveal(),
    [PkiFile.intermediate]: pki.intermediatePem,
    [PkiFile.intermediateKey]: pki.intermediateKeyPem.reveal(),
    ...provisionerFiles(pki.provisioners),
    [PkiObject.caPassword]: pki.caPassword.reveal(),
    [PkiObject.autocertPassword]: pki.autocertPassword.reveal(),
  };
}

/** The objects of the draft's PKI, in the order in which they are created: each before those that need it. */
function filesIn(draft: Files): Readonly<Partial<Record<PkiObjectKey, Files>>> {
  const pick = (...names: readonly string[]) => Object.fromEntries(names.map((name) => [name, draft[name] ?? '']));
  const password = (name: string) => ({ [PkiFile.password]: draft[name] ?? '' });
  return {
    caPassword: password(PkiObject.caPassword),
    autocertPassword: password(PkiObject.autocertPassword),
    rootKey: pick(PkiFile.rootKey, PkiFile.root),
    intermediateKey: pick(PkiFile.intermediateKey, PkiFile.intermediate, PkiFile.root),
    provisioners: pick(PkiFile.provisioners),
    certificates: pick(PkiFile.root, PkiFile.intermediate),
  };
}

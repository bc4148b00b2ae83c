/**
 * The PKI of a cluster, made and kept: `autocert pki create`, which the Job runs, makes one where there is none;
 * `autocert pki upkeep`, which the CronJob runs, heals what was lost, renews the intermediate, and warns of what takes a
 * person; `autocert pki init` is both, for people. They are two, because the first needs no right to read a key.
 * @module
 */
import { PkiFile, PkiObject } from '../contract.ts';
import type { Log } from '../lib/log.ts';
import { fingerprintOf, splitPem } from '../x509/certificate.ts';
import { type Advice, adviceOn } from './advice.ts';
import { ClusterObjects, type ClusterPort, type PkiObjectKey } from './cluster-objects.ts';
import { loadPki, withoutRaces } from './cluster-pki.ts';
import { type Completed, completePki } from './complete.ts';
import { makePki, refuseIncomplete } from './first-run.ts';
import type { PermittedNames } from './intermediate.ts';
import { isOtherwiseConstrained, renewIfDue } from './renew-intermediate.ts';

/** Options of all of them. */
export interface InitOptions {
  readonly namespace: string;
  /** First words of the certificates' names, in a namespace without a PKI. @default 'Autocert' */
  readonly caName?: string;
  /** Names that the intermediate may sign. Absent: it stays as it is. */
  readonly permitted?: PermittedNames;
  readonly log: Log;
  /** @default - the clock's time */
  readonly now?: Date;
}

/** What {@link initPki} found and did. */
export interface InitReport extends Completed {
  /** SHA-256 of the root, lower-case hex; of each, if there are several. */
  readonly fingerprints: readonly string[];
  /** Whether the intermediate was renewed. */
  readonly renewed: boolean;
  /** What takes a person. */
  readonly advice: readonly Advice[];
}

/**
 * `autocert pki create`: makes the PKI, unless there is one.
 * @throws AutocertError `INVALID_CONFIG` where a part of one is left
 */
export async function createPkiIn(api: ClusterPort, options: InitOptions): Promise<void> {
  const objects = new ClusterObjects(api, options.namespace);
  await makeIfNone(objects, options, (there) => refuseIncomplete(objects, there));
  const files = (await objects.find('certificates'))?.files ?? {};
  tellOfRoots(options, splitPem(files[PkiFile.root] ?? ''));
  warnOfConstraints(options, splitPem(files[PkiFile.intermediate] ?? ''), {
    remedy: 'the CronJob autocert-pki replaces it tonight, or this command at once',
    command: 'autocert pki intermediate --permit NAMES',
  });
}

/**
 * `autocert pki upkeep`: makes again what was lost, checks that the PKI fits together, renews the intermediate when it is
 * due.
 * @throws what {@link completePki} throws
 */
export async function keepPki(api: ClusterPort, options: InitOptions): Promise<InitReport> {
  const { namespace, log, permitted, now = new Date() } = options;
  const objects = new ClusterObjects(api, namespace);
  const completed = await withoutRaces(() => completePki(objects, now, permitted));
  for (const name of completed.created) log.info({ object: name, namespace }, 'created');
  for (const name of completed.updated) log.info({ object: name, namespace }, 'brought up to date');
  for (const name of completed.kept) log.info({ object: name, namespace }, 'exists: kept');
  const renewed = await withoutRaces(() => renewIfDue(objects, now, permitted));
  if (renewed)
    log.info({ object: objects.nameOf('intermediateKey'), namespace }, 'intermediate renewed, with a new key');
  const pki = await loadPki(objects);
  const fingerprints = tellOfRoots(options, pki.roots);
  const advice = adviceOn(pki, now);
  warnOfConstraints(options, pki.chain, {
    remedy: "it takes the root's key to replace it",
    command: 'autocert pki intermediate --root-key FILE --permit NAMES',
  });
  for (const { text, command, by } of advice) log.warn({ command, by, namespace }, text);
  return { ...completed, fingerprints, renewed, advice };
}

/**
 * `autocert pki init`: both. What is left of a PKI is healed, or named.
 * @throws what {@link keepPki} throws
 */
export async function initPki(api: ClusterPort, options: InitOptions): Promise<InitReport> {
  const created = await makeIfNone(new ClusterObjects(api, options.namespace), options, () => []);
  const report = await keepPki(api, options);
  return {
    ...report,
    created: [...created, ...report.created],
    kept: report.kept.filter((name) => !created.includes(name)),
  };
}

/** Names of the objects that it created. */
async function makeIfNone(
  objects: ClusterObjects,
  { namespace, log, caName = 'Autocert', permitted, now = new Date() }: InitOptions,
  onIncomplete: (there: readonly PkiObjectKey[]) => readonly string[],
): Promise<readonly string[]> {
  const run = await withoutRaces(() => makePki(objects, { name: caName, permitted, now }));
  if (run.kind === 'incomplete') return onIncomplete(run.there);
  if (run.kind === 'there') return [];
  const created = run.created.map((key) => objects.nameOf(key));
  for (const name of created) log.info({ object: name, namespace }, 'created');
  if (created.length > 0) tellOfPasswords(namespace, log);
  return created;
}

function tellOfRoots({ log }: InitOptions, roots: readonly string[]): readonly string[] {
  const fingerprints = roots.map(fingerprintOf);
  log.info({ fingerprints }, 'fingerprint of the root certificate');
  return fingerprints;
}

function warnOfConstraints(
  { namespace, log, permitted }: InitOptions,
  [intermediate, ...others]: readonly string[],
  { remedy, command }: { readonly remedy: string; readonly command: string },
): void {
  if (intermediate === undefined || !isOtherwiseConstrained({ chain: [intermediate, ...others] }, permitted)) return;
  log.warn({ command, namespace }, `the intermediate may sign other names than it is to: ${remedy}`);
}

function tellOfPasswords(namespace: string, log: Log): void {
  for (const name of [PkiObject.caPassword, PkiObject.autocertPassword]) {
    const command = `kubectl -n ${namespace} get secret ${name} -o jsonpath='{.data.password}' | base64 -d`;
    log.info({ command }, 'a password, which is not printed here because logs are kept');
  }
}

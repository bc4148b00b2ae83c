/**
 * `autocert pki init`: the Job that makes the PKI, and the CronJob that keeps it: heals what was lost, renews the
 * intermediate, and warns of what takes a person.
 * @module
 */
import { PkiObject } from '../contract.ts';
import type { Log } from '../lib/log.ts';
import { fingerprintOf } from '../x509/certificate.ts';
import { type Advice, adviceOn } from './advice.ts';
import { ClusterObjects, type ClusterPort } from './cluster-objects.ts';
import { loadPki, withoutRaces } from './cluster-pki.ts';
import { type Completed, completePki } from './complete.ts';
import { renewIfDue } from './renew-intermediate.ts';

/** Options of {@link runInitJob}. */
export interface InitJobOptions {
  readonly namespace: string;
  /** First words of the certificates' names, in a namespace without a PKI. @default 'Autocert' */
  readonly caName?: string;
  readonly log: Log;
  /** @default - the clock's time */
  readonly now?: Date;
}

/** What {@link runInitJob} found and did. */
export interface InitReport extends Completed {
  /** SHA-256 of the root, lower-case hex; of each, if there are several. */
  readonly fingerprints: readonly string[];
  /** Whether the intermediate was renewed. */
  readonly renewed: boolean;
  /** What takes a person. */
  readonly advice: readonly Advice[];
}

/**
 * Makes what is missing of the PKI, checks that it fits together, renews the intermediate when it is due.
 * @throws what {@link completePki} throws
 */
export async function runInitJob(api: ClusterPort, options: InitJobOptions): Promise<InitReport> {
  const { namespace, log, caName = 'Autocert', now = new Date() } = options;
  const objects = new ClusterObjects(api, namespace);
  const completed = await withoutRaces(() => completePki(objects, caName, now));
  for (const name of completed.created) log.info({ object: name, namespace }, 'created');
  for (const name of completed.updated) log.info({ object: name, namespace }, 'brought up to date');
  for (const name of completed.kept) log.info({ object: name, namespace }, 'exists: kept');
  const renewed = await withoutRaces(() => renewIfDue(objects, now));
  if (renewed)
    log.info({ object: objects.nameOf('intermediateKey'), namespace }, 'intermediate renewed, with a new key');
  const pki = await loadPki(objects);
  const fingerprints = pki.roots.map(fingerprintOf);
  log.info({ fingerprints }, 'fingerprint of the root certificate');
  if (completed.created.length > 0) tellOfPasswords(namespace, log);
  const advice = adviceOn(pki, now);
  for (const { text, command, by } of advice) log.warn({ command, by, namespace }, text);
  return { ...completed, fingerprints, renewed, advice };
}

function tellOfPasswords(namespace: string, log: Log): void {
  for (const name of [PkiObject.caPassword, PkiObject.autocertPassword]) {
    const command = `kubectl -n ${namespace} get secret ${name} -o jsonpath='{.data.password}' | base64 -d`;
    log.info({ command }, 'a password, which is not printed here because logs are kept');
  }
}

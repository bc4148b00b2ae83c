/**
 * Puts the objects of a backup back into the cluster. What is there and equal is kept; what is there and differs is
 * replaced only by force.
 * @module
 */
import type { V1Namespace } from '@kubernetes/client-node';
import { PART_OF, PkiFile } from '../contract.ts';
import { ifFound } from '../kubernetes/cluster-state.ts';
import { AutocertError } from '../lib/errors.ts';
import { fingerprintOf, splitPem } from '../x509/certificate.ts';
import type { Backup } from './backup.ts';
import { problemsOf } from './backup-check.ts';
import {
  ClusterObjects,
  type ClusterPort,
  type Files,
  OBJECT_ORDER,
  type PkiObjectKey,
  type Stored,
  sameFiles,
} from './cluster-objects.ts';
import type { Say } from './password-rotation.ts';

/** Options of {@link restorePki}. */
export interface RestoreOptions {
  /** @default - that of the backup */
  readonly namespace?: string;
  /**
   * Whether what differs is replaced, what the backup does not have deleted, and a backup taken that would not bring the
   * CA back. @default false
   */
  readonly force?: boolean;
  readonly say: Say;
}

/** What {@link restorePki} found and did. */
export interface RestoreReport {
  /** SHA-256 of each root, lower-case hex. */
  readonly fingerprints: readonly string[];
  /** Whether the PKI that was there had another root. */
  readonly replacedRoot: boolean;
}

/** An object as it is, and as it is to be. */
interface Difference {
  readonly key: PkiObjectKey;
  readonly found: Stored | undefined;
  readonly wanted: Files | undefined;
}

/**
 * Restores; may be interrupted and run again.
 * @throws AutocertError `INVALID_INPUT`, naming the objects that differ, or do not belong together, unless `force`; when a
 * namespace other than the backup's does not exist
 */
export async function restorePki(api: ClusterPort, backup: Backup, options: RestoreOptions): Promise<RestoreReport> {
  const { namespace = backup.namespace, force = false, say } = options;
  const objects = new ClusterObjects(api, namespace);
  await checkBackup(objects, backup, force, say);
  await ensureNamespace(api, namespace, backup.namespace, say);
  const there = new Map<PkiObjectKey, Files>();
  const differences: Difference[] = [];
  for (const key of OBJECT_ORDER) {
    const [found, wanted] = [await objects.read(key), backup.objects.get(key)];
    if (found) there.set(key, found.files);
    if (!found && !wanted) continue;
    if (found && wanted && sameFiles(found.files, wanted)) say(`${objects.nameOf(key)}: is there already`);
    else differences.push({ key, found, wanted });
  }
  const conflicts = differences.filter(({ found }) => found !== undefined);
  const fingerprints = fingerprintsOf(backup.objects);
  const other = fingerprintsOf(there);
  const replacedRoot = other.length > 0 && other.join() !== fingerprints.join();
  if (conflicts.length > 0 && !force) throw refusal(objects, conflicts, replacedRoot ? other : undefined, fingerprints);
  for (const difference of differences) await settle(objects, difference, say);
  return { fingerprints, replacedRoot };
}

/** Before the first write: nobody notices that it does not fit together until the CA starts anew. */
async function checkBackup(objects: ClusterObjects, backup: Backup, force: boolean, say: Say): Promise<void> {
  const unseen = { resourceVersion: '', createdAt: backup.createdAt };
  const stored = new Map([...backup.objects].map(([key, files]) => [key, { files, ...unseen }]));
  const problems = await problemsOf(objects, stored);
  if (problems.length > 0 && !force) {
    throw new AutocertError(
      'INVALID_INPUT',
      `nothing was changed: this backup would not bring the CA back: ${problems.join('; ')}. Take another one, or, to restore it all the same, run this again with --force`,
    );
  }
  for (const problem of problems) say(`warning: this backup is not whole: ${problem}`);
}

async function settle(objects: ClusterObjects, { key, found, wanted }: Difference, say: Say): Promise<void> {
  const name = objects.nameOf(key);
  if (wanted === undefined) {
    if (found) await objects.remove(key, found);
    say(`${name}: deleted, the backup has none`);
    return;
  }
  const { outcome, files } = await objects.write(key, wanted, found);
  if (!sameFiles(files, wanted)) {
    const problem = `${name} was made by somebody else in the meantime, such as the init Job`;
    throw new AutocertError('UNAVAILABLE', `${problem}: run this again to see what differs`);
  }
  say(`${name}: ${outcome === 'created' ? 'restored' : 'replaced'}`);
}

/** Of the roots, which several objects have a copy of. */
function fingerprintsOf(objects: ReadonlyMap<PkiObjectKey, Files>): readonly string[] {
  const copies = (['certificates', 'intermediateKey', 'rootKey'] as const).map(
    (key) => objects.get(key)?.[PkiFile.root],
  );
  try {
    return splitPem(copies.find((pem) => pem !== undefined) ?? '').map(fingerprintOf);
  } catch {
    // A damaged certificate: it is there to be replaced.
    return ['of a damaged certificate'];
  }
}

function refusal(
  objects: ClusterObjects,
  conflicts: readonly Difference[],
  otherRoot: readonly string[] | undefined,
  wantedRoot: readonly string[],
): AutocertError {
  const { namespace } = objects;
  const names = (list: readonly Difference[]) => list.map(({ key }) => objects.nameOf(key)).join(', ');
  const different = conflicts.filter(({ wanted }) => wanted !== undefined);
  const surplus = conflicts.filter(({ wanted }) => wanted === undefined);
  const made = conflicts[0]?.found?.createdAt.toISOString();
  const root =
    otherRoot &&
    `It has another root (${otherRoot.join(', ')}, the backup's is ${wantedRoot.join(', ')}): ` +
      `the init Job makes a new PKI where it finds none, this one was made ${made}`;
  const problems = [
    root,
    different.length > 0 && `${names(different)}: not as in the backup`,
    surplus.length > 0 && `${names(surplus)}: not in the backup`,
  ].filter((problem) => problem);
  return new AutocertError(
    'INVALID_INPUT',
    `nothing was changed: the PKI in namespace ${namespace} is not that of the backup. ${problems.join('. ')}. To have the backup take the place of what is ` +
      'there, save that (autocert pki backup), then run this again with --force',
  );
}

/** Makes the backup's own, which the manifests label further; whoever may not look is believed. */
async function ensureNamespace(api: ClusterPort, name: string, own: string, say: Say): Promise<void> {
  const path = `/api/v1/namespaces/${encodeURIComponent(name)}`;
  let found: V1Namespace | undefined;
  try {
    found = await ifFound(api.get<V1Namespace>(path));
  } catch (error) {
    if (error instanceof AutocertError && error.status === 403) return;
    throw error;
  }
  if (found?.metadata?.deletionTimestamp) {
    throw new AutocertError('UNAVAILABLE', `namespace ${name} is being deleted: run this again when it is gone`);
  }
  if (found) return;
  if (name !== own) {
    const problem = `there is no namespace ${name}, and the backup is of namespace ${own}`;
    throw new AutocertError(
      'INVALID_INPUT',
      `${problem}: see --namespace, or make it (kubectl create namespace ${name})`,
    );
  }
  const labels = { [PART_OF.key]: PART_OF.value };
  await api.create('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } });
  say(`namespace/${name}: made`);
}

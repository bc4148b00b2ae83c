/**
 * `autocert pki backup` and `autocert pki restore`: files and passphrases on one side, the cluster on the other.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import packageJson from '../../package.json' with { type: 'json' };
import { KubernetesApi } from '../kubernetes/client.ts';
import type { KubeconfigFlags } from '../kubernetes/credentials.ts';
import { AutocertError, messageOf } from '../lib/errors.ts';
import { readTextFile } from '../lib/text-file.ts';
import { type Backup, fromManifests, readPki, toManifests } from '../pki/backup.ts';
import { problemsOf } from '../pki/backup-check.ts';
import { ClusterObjects, type ClusterPort } from '../pki/cluster-objects.ts';
import type { Say } from '../pki/password-rotation.ts';
import { restorePki } from '../pki/restore.ts';
import { isSealed, openBackup, sealBackup } from '../pki/sealed-backup.ts';
import { readPassphrase, type Terminal } from './passphrase.ts';
import { checkNamespaceName, inNamespace, type NeededRights } from './rights.ts';

/** Flags of `autocert pki backup`. */
export interface BackupFlags extends KubeconfigFlags {
  readonly out: string;
  readonly namespace: string;
  readonly passphraseFile?: string;
  readonly plain: boolean;
}

/** Flags of `autocert pki restore`. */
export interface RestoreFlags extends KubeconfigFlags {
  readonly namespace?: string;
  readonly passphraseFile?: string;
  /** Takes a file that is not encrypted. */
  readonly plain: boolean;
  readonly force: boolean;
}

/** Effects; a test gives its own. */
export interface BackupPorts {
  readonly connect: (flags: KubeconfigFlags) => ClusterPort;
  readonly terminal?: Terminal;
  /** What the command is for, if it goes to standard output. */
  readonly print: (text: string) => void;
  /** What people read beside it. */
  readonly say: Say;
}

const PORTS: BackupPorts = {
  connect: ({ kubeconfig, context }) => KubernetesApi.load({ kubeconfig, context }),
  print: (text) => process.stdout.write(text),
  say: (line) => process.stderr.write(`${line}\n`),
};

const FOR_BACKUP: NeededRights = { rights: 'the verb get for secrets and configmaps', canI: 'get secrets' };
const FOR_RESTORE: NeededRights = {
  rights: 'the verbs get, create, update and delete for secrets and configmaps',
  canI: 'create secrets',
  elsewhere: { rights: 'the verbs get and create for namespaces', canI: 'create namespaces' },
};

/** What {@link readTextFile} reads at most. */
const MAX_BYTES = 1 << 20;

/**
 * Saves the PKI.
 * @throws AutocertError `INVALID_INPUT` when the file exists, or there is nowhere to get a passphrase from; `FORBIDDEN`
 */
export async function backup(flags: BackupFlags, ports: BackupPorts = PORTS): Promise<void> {
  const { out, namespace, plain, passphraseFile } = flags;
  const { say, terminal } = ports;
  if (out !== '-') refuseExisting(out);
  if (plain && passphraseFile !== undefined) {
    throw new AutocertError('INVALID_INPUT', '--plain encrypts nothing: give it or --passphrase-file, not both');
  }
  const objects = new ClusterObjects(ports.connect(flags), namespace);
  const stored = await inNamespace(namespace, FOR_BACKUP, () => readPki(objects));
  for (const problem of await problemsOf(objects, stored)) say(`warning: this PKI is not whole: ${problem}`);
  if (!stored.has('rootKey')) say("the root's key is not in the cluster, so it is not in this backup");
  const contents: Backup = {
    namespace,
    version: packageJson.version,
    createdAt: new Date(),
    objects: new Map([...stored].map(([key, { files }]) => [key, files])),
  };
  const text = plain
    ? toManifests(contents)
    : await sealBackup(
        contents,
        await readPassphrase({ file: passphraseFile, isNew: true, ...(terminal && { terminal }) }),
      );
  if (text.length > MAX_BYTES) throw new AutocertError('INVALID_CONFIG', `the PKI is larger than ${MAX_BYTES} bytes`);
  if (out === '-') ports.print(text);
  else writeNew(out, text);
  const names = [...contents.objects.keys()].map((key) => objects.nameOf(key)).join(', ');
  say(`saved${out === '-' ? '' : ` to ${out}`}: ${names}`);
  if (plain)
    say(
      'warning: NOT encrypted: whoever reads this can issue certificates that every pod trusts. Seal it, then delete it',
    );
}

/**
 * Restores the PKI of a backup: an encrypted one, or, where that was asked for, a plain one.
 * @throws AutocertError `WRONG_PASSWORD`; `INVALID_INPUT` for a file that is no backup, for one that is not encrypted,
 * unless `plain`, and where objects differ; `FORBIDDEN`
 */
export async function restore(file: string, flags: RestoreFlags, ports: BackupPorts = PORTS): Promise<void> {
  const { say, terminal } = ports;
  if (flags.namespace !== undefined) checkNamespaceName(flags.namespace);
  const contents = await readBackup(file, flags, terminal);
  say(
    `backup of namespace ${contents.namespace}, made ${contents.createdAt.toISOString()} by version ${contents.version}`,
  );
  const { namespace = contents.namespace, force } = flags;
  const report = await inNamespace(namespace, FOR_RESTORE, () =>
    restorePki(ports.connect(flags), contents, { namespace, force, say }),
  );
  say('');
  say(`fingerprint of the root certificate: ${report.fingerprints.join(', ')}`);
  say(
    'Now apply the manifests, if they are not there (kubectl apply -f dist/). The CA starts, or restarts, by itself.',
  );
  if (report.replacedRoot) {
    say(
      'Another root was there before. Webhook and signer have to forget it, and so have pods that started meanwhile:',
    );
    say(`  kubectl -n ${namespace} rollout restart deployment`);
    say('  kubectl -n NAMESPACE rollout restart deployment NAME');
  }
}

/** A passphrase proves who made a file; a plain one may be anybody's. */
async function readBackup(
  file: string,
  { passphraseFile, plain }: RestoreFlags,
  terminal: Terminal | undefined,
): Promise<Backup> {
  const text = readTextFile(file, 'INVALID_INPUT');
  const hasPassphrase = passphraseFile !== undefined;
  if (!isSealed(text) && (hasPassphrase || !plain)) {
    const permit = hasPassphrase ? 'give --plain in place of --passphrase-file' : 'give --plain';
    const problem = `${file} is not encrypted, so anybody may have made or changed it`;
    throw new AutocertError('INVALID_INPUT', `${problem}: if you know that it is the backup you saved, ${permit}`);
  }
  try {
    if (!isSealed(text)) return fromManifests(text);
    return await openBackup(
      text,
      await readPassphrase({ file: passphraseFile, isNew: false, ...(terminal && { terminal }) }),
    );
  } catch (error) {
    throw error instanceof AutocertError ? new AutocertError(error.code, `${file}: ${error.message}`) : error;
  }
}

function refuseExisting(file: string): void {
  if (existsSync(file)) throw new AutocertError('INVALID_INPUT', `${file} exists: give another name, or move it away`);
}

/** Written beside and moved into place, so that a backup is there whole or not at all. */
function writeNew(file: string, text: string): void {
  refuseExisting(file);
  const aside = `${file}.${randomBytes(6).toString('hex')}`;
  try {
    const descriptor = openSync(aside, 'wx', 0o600);
    try {
      writeFileSync(descriptor, text);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(aside, file);
  } catch (error) {
    rmSync(aside, { force: true });
    throw new AutocertError('INVALID_INPUT', `cannot write ${file}: ${messageOf(error)}`);
  }
}

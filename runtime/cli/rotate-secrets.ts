/**
 * `autocert pki password` and `autocert pki provisioner`.
 * @module
 */
import { PkiFile, PkiObject, Provisioner } from '../contract.ts';
import { KubernetesApi } from '../kubernetes/client.ts';
import type { KubeconfigFlags } from '../kubernetes/credentials.ts';
import { sleep } from '../lib/loops.ts';
import { stopSignal } from '../lib/stop-signal.ts';
import { ClusterObjects, type ClusterPort } from '../pki/cluster-objects.ts';
import { rotateCaPassword, type Say } from '../pki/password-rotation.ts';
import { rotateAdminProvisioner, rotateAutocertProvisioner } from '../pki/provisioner-rotation.ts';
import { parseDuration } from '../policy/duration.ts';
import { inNamespace, type NeededRights } from './rights.ts';

/** Flags of `autocert pki password`. */
export interface PasswordFlags extends KubeconfigFlags {
  readonly namespace: string;
  readonly rootKeyElsewhere: boolean;
}

/** Flags of `autocert pki provisioner`. */
export interface ProvisionerFlags extends KubeconfigFlags {
  readonly namespace: string;
  readonly name: string;
  /** Go duration. */
  readonly wait: string;
}

const NEEDED: NeededRights = { rights: 'the verbs get and update for secrets', canI: 'update secrets' };

const print: Say = (line) => process.stdout.write(`${line}\n`);

/**
 * Replaces the password of the CA's keys.
 * @throws AutocertError what `rotateCaPassword` throws; `FORBIDDEN` with the rights that are missing
 */
export async function rotatePassword(
  { namespace, rootKeyElsewhere, ...cluster }: PasswordFlags,
  connect: () => ClusterPort = () => KubernetesApi.load(cluster),
  say: Say = print,
): Promise<void> {
  await inNamespace(namespace, NEEDED, () =>
    rotateCaPassword(new ClusterObjects(connect(), namespace), { say, rootKeyElsewhere }),
  );
  say('');
  say('The CA restarts by itself, within two minutes. Backups made before hold the old password and still work.');
  say(whereIs(namespace, PkiObject.caPassword));
}

/**
 * Replaces the key of a provisioner.
 * @throws AutocertError what `rotateAutocertProvisioner` throws; `FORBIDDEN` with the rights that are missing
 */
export async function rotateProvisioner(
  { namespace, name, wait, ...cluster }: ProvisionerFlags,
  connect: () => ClusterPort = () => KubernetesApi.load(cluster),
  say: Say = print,
): Promise<void> {
  const waitMs = parseDuration(wait);
  await inNamespace(namespace, NEEDED, () => {
    const objects = new ClusterObjects(connect(), namespace);
    return name === Provisioner.admin
      ? rotateAdminProvisioner(objects, { say })
      : rotateAutocertProvisioner(objects, { say, waitMs, sleep, signal: stopSignal() });
  });
  say('');
  say('Running pods keep their certificates. Tokens of the old key are refused from now on.');
  if (name === Provisioner.autocert) say(whereIs(namespace, PkiObject.autocertPassword));
}

function whereIs(namespace: string, secret: string): string {
  const command = `kubectl -n ${namespace} get secret ${secret} -o jsonpath='{.data.${PkiFile.password}}' | base64 -d`;
  return `The new password, which is not printed here:\n  ${command}`;
}

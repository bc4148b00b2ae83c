/**
 * Replaces the key of a provisioner. It may be killed at any point and run again: what is left is seen in the objects.
 *
 * The webhook and the signer sign tokens with the key of `autocert`, whose password kubelet brings them. So the new
 * password is there, beside the old one, before the CA has the new key; and the old one goes when the CA has had the time
 * to take the new key into use.
 * @module
 */
import { Provisioner } from '../contract.ts';
import { AutocertError } from '../lib/errors.ts';
import type { Sleep } from '../lib/loops.ts';
import type { Secret } from '../lib/secret.ts';
import { createProvisioner } from '../step-ca/one-time-token.ts';
import { changeObject, requireObject } from './change-object.ts';
import type { ClusterObjects } from './cluster-objects.ts';
import { announcePassword, passwordsIn, settlePassword } from './next-password.ts';
import type { Say } from './password-rotation.ts';
import { passwordOf, provisionerFiles, provisionerNamed, provisionersIn } from './provisioner-list.ts';

/** Options of {@link rotateAutocertProvisioner}. */
export interface ProvisionerRotationOptions {
  readonly say: Say;
  /** How long kubelet and the programs are given for each change, milliseconds. */
  readonly waitMs: number;
  readonly sleep: Sleep;
  /** Ends the waiting: what is left is said. */
  readonly signal: AbortSignal;
}

/** How often to say that it waits. */
const PROGRESS_MS = 10_000;

/**
 * Gives `autocert` a new key and a new password, or goes on where an earlier run was interrupted.
 * @throws AutocertError `WRONG_PASSWORD`, `INVALID_CONFIG` before anything is changed; `UNAVAILABLE` when it was stopped
 * while it waited
 */
export async function rotateAutocertProvisioner(
  objects: ClusterObjects,
  options: ProvisionerRotationOptions,
): Promise<void> {
  const { say } = options;
  const found = passwordsIn((await requireObject(objects, 'autocertPassword')).files);
  const provisioner = await readProvisioner(objects, Provisioner.autocert);
  const opening = await passwordOf(provisioner, found.next ? [found.current, found.next] : [found.current]);
  if (opening === undefined) throw unfit(objects, 'autocertPassword', Provisioner.autocert);
  const { next } = await announcePassword(objects, 'autocertPassword');
  if (opening === found.next) {
    say('goes on with a run that was interrupted: the CA has got the new key already');
  } else {
    say(`${objects.nameOf('autocertPassword')}: the new password is beside the old one`);
    await patience('until kubelet has brought it to the webhook and the signer', options);
    await putNewKey(objects, Provisioner.autocert, next);
    say(`${objects.nameOf('provisioners')}: "${Provisioner.autocert}" has a new key; the CA takes it by itself`);
  }
  await patience('until the CA has the new key; the old password stays until then', options);
  await settlePassword(objects, 'autocertPassword', next);
  say(`${objects.nameOf('autocertPassword')}: the new password is in place of the old one`);
}

/**
 * Gives `admin` a new key, under the password of the CA: tokens of the old one are refused from then on.
 * @throws AutocertError `WRONG_PASSWORD`, `INVALID_CONFIG`; `INVALID_INPUT` while that password is being replaced
 */
export async function rotateAdminProvisioner(objects: ClusterObjects, { say }: { readonly say: Say }): Promise<void> {
  const { current, next } = passwordsIn((await requireObject(objects, 'caPassword')).files);
  if (next) {
    const problem = `the password in ${objects.nameOf('caPassword')} is being replaced`;
    throw new AutocertError('INVALID_INPUT', `${problem}: finish that first (autocert pki password)`);
  }
  const provisioner = await readProvisioner(objects, Provisioner.admin);
  if (!(await passwordOf(provisioner, [current]))) throw unfit(objects, 'caPassword', Provisioner.admin);
  await putNewKey(objects, Provisioner.admin, current);
  say(`${objects.nameOf('provisioners')}: "${Provisioner.admin}" has a new key; the CA takes it by itself`);
}

async function readProvisioner(objects: ClusterObjects, name: string) {
  return provisionerNamed(name, provisionersIn((await requireObject(objects, 'provisioners')).files, objects));
}

/** Its claims and options stay. */
async function putNewKey(objects: ClusterObjects, name: string, password: Secret): Promise<void> {
  const fresh = await createProvisioner(name, password);
  await changeObject(objects, 'provisioners', async (files) => {
    const list = provisionersIn(files, objects);
    const old = provisionerNamed(name, list);
    return provisionerFiles(list.map((one) => (one === old ? { ...old, ...fresh } : one)));
  });
}

function unfit(objects: ClusterObjects, password: 'caPassword' | 'autocertPassword', name: string): AutocertError {
  return new AutocertError(
    'WRONG_PASSWORD',
    `${objects.nameOf(password)} does not open the key of provisioner "${name}" in ${objects.nameOf('provisioners')}: ` +
      'nothing was changed; restore the one that was changed before',
  );
}

async function patience(what: string, { waitMs, say, sleep, signal }: ProvisionerRotationOptions): Promise<void> {
  for (let left = waitMs; left > 0; left -= PROGRESS_MS) {
    say(`waits ${what}: ${Math.ceil(left / 1000)} s`);
    await sleep(Math.min(left, PROGRESS_MS), signal);
    if (!signal.aborted) continue;
    const state = 'stopped before the end; webhook, signer and CA go on working as things are';
    throw new AutocertError('UNAVAILABLE', `${state}. Run the command again to finish`);
  }
}

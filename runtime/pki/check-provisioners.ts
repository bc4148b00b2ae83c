/**
 * Whether the provisioner's key opens with its password.
 * @module
 */
import { Provisioner } from '../contract.ts';
import { messageOf } from '../lib/errors.ts';
import { type JwkProvisioner, TokenSigner } from '../step-ca/one-time-token.ts';
import { firstThatOpens, type PasswordsToTry } from '../x509/private-key.ts';
import type { Files } from './cluster-objects.ts';
import { type ObjectNames, unfit } from './cluster-pki.ts';
import { provisionersIn } from './provisioner-list.ts';

/**
 * Checks the provisioner `autocert`, if there is one: users' own are checked by the webhook, which is told the name.
 * @param passwords one of which has to open its key
 * @throws AutocertError `INVALID_CONFIG`
 */
export async function checkProvisioners(objects: ObjectNames, files: Files, passwords: PasswordsToTry): Promise<void> {
  const provisioner = provisionersIn(files, objects).find(({ name }) => name === Provisioner.autocert);
  if (provisioner === undefined) return;
  try {
    await firstThatOpens(passwords, (password) => TokenSigner.open(provisioner as JwkProvisioner, password));
  } catch (error) {
    throw unfit(objects, 'autocertPassword', 'provisioners', messageOf(error));
  }
}

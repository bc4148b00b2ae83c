/**
 * Opens the key of the CA's provisioner: what webhook and signer sign their one-time tokens with.
 * @module
 */

import { AutocertError } from '../lib/errors.ts';
import type { Secret } from '../lib/secret.ts';
import type { CaClient } from './client.ts';
import { type JwkProvisioner, TokenSigner } from './one-time-token.ts';

/**
 * The provisioner of this name, as the CA has it now.
 * @throws AutocertError `INVALID_CONFIG`, naming those that there are, when there is none of this name.
 */
export async function findProvisioner(ca: Pick<CaClient, 'provisioners'>, name: string): Promise<JwkProvisioner> {
  const provisioners = await ca.provisioners();
  const provisioner = provisioners.find((candidate) => candidate.name === name);
  if (provisioner) return provisioner;
  const names = provisioners.map((candidate) => JSON.stringify(candidate.name)).join(', ');
  throw new AutocertError(
    'INVALID_CONFIG',
    `provisioner: the CA has no JWK provisioner ${JSON.stringify(name)}, it has ${names || 'none'}`,
  );
}

/**
 * Keeps the key of one provisioner open. Opening takes a good part of a second of computing (PBES2), so the key is
 * opened again only when the CA has another one or the password has changed.
 */
export class ProvisionerKey {
  #opened: { readonly encryptedKey: string; readonly password: string; readonly signer: TokenSigner } | undefined;

  /** Looks at the CA's provisioner and opens its key, if it is not the one that is open. */
  async refresh(ca: Pick<CaClient, 'provisioners'>, name: string, password: Secret): Promise<TokenSigner> {
    const provisioner = await findProvisioner(ca, name);
    const { encryptedKey } = provisioner;
    const opened = this.#opened;
    if (opened?.encryptedKey === encryptedKey && opened.password === password.reveal()) return opened.signer;
    const signer = await TokenSigner.open(provisioner, password);
    this.#opened = { encryptedKey, password: password.reveal(), signer };
    return signer;
  }
}

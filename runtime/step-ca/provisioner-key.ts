/**
 * Opens the key of the CA's provisioner: what webhook and signer sign their one-time tokens with.
 * @module
 */
import { AutocertError, messageOf } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { firstThatOpens, isWrongPassword, type PasswordsToTry } from '../x509/private-key.ts';
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
 * opened again only when the CA has another one, or its password is not among those that are given any more.
 */
export class ProvisionerKey {
  readonly #log: Log | undefined;
  #opened: { readonly encryptedKey: string; readonly password: string; readonly signer: TokenSigner } | undefined;

  /** `log` is told when only the key that is open already keeps it working. */
  constructor(log?: Log) {
    this.#log = log;
  }

  /**
   * Looks at the CA's provisioner and opens its key, if it is not the one that is open. That one stays in use while the
   * CA has it, also when its password is not among those that are given any more, and none of these opens it.
   * @param passwords the current one; behind it, while one password replaces the other, the next one
   * @throws AutocertError `WRONG_PASSWORD` when none of them opens a key that is not open
   */
  async refresh(ca: Pick<CaClient, 'provisioners'>, name: string, passwords: PasswordsToTry): Promise<TokenSigner> {
    const provisioner = await findProvisioner(ca, name);
    const { encryptedKey } = provisioner;
    const opened = this.#opened;
    const isKnown = passwords.some((password) => password.reveal() === opened?.password);
    if (opened?.encryptedKey === encryptedKey && isKnown) return opened.signer;
    try {
      this.#opened = await firstThatOpens(passwords, async (password) => {
        const signer = await TokenSigner.open(provisioner, password);
        return { encryptedKey, password: password.reveal(), signer };
      });
      return this.#opened.signer;
    } catch (error) {
      if (!isWrongPassword(error) || opened?.encryptedKey !== encryptedKey) throw error;
      this.#log?.warn(
        { provisioner: name, reason: messageOf(error) },
        'the open key goes on; after a restart none will open',
      );
      return opened.signer;
    }
  }
}

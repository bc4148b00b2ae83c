/**
 * `autocert init`: a PKI in a folder, and what the tutorial says is shown once.
 * @module
 */
import { initPki } from '../pki/files.ts';

/** Flags of `autocert init`. */
export interface InitOptions {
  readonly dir: string;
  readonly name: string;
  /** Separated by commas. */
  readonly dns: string;
  readonly address: string;
  readonly passwordFiles: boolean;
}

/** Makes the PKI; the text for its owner. The one place where passwords are shown, since nothing else has them. */
export async function init({ dir, name, dns, address, passwordFiles }: InitOptions): Promise<string> {
  const dnsNames = dns.split(',').map((part) => part.trim());
  const { pki, rootFile, configFile, caUrl } = await initPki({ dir, name, dnsNames, address, passwordFiles });
  return `
Your PKI is in ${dir}. Store these in a safe place; they are not shown again${passwordFiles ? ' (and are in its secrets/)' : ''}.

  admin provisioner password (also of the CA's keys):  ${pki.caPassword.reveal()}
  autocert provisioner password:                       ${pki.autocertPassword.reveal()}
  root certificate fingerprint:                        ${pki.fingerprint}

  root certificate:     ${rootFile}
  CA's configuration:   ${configFile}
  CA's URL:             ${caUrl}

Start a CA on it with step-ca ${configFile}, or, to try things out, autocert ca --config ${configFile} --password-file FILE.
Move secrets/root_ca_key to a safe place: only a new intermediate needs it.
`;
}

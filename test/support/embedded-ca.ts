/**
 * The embedded CA on a free port of loopback, with a PKI of its own.
 * @module
 */
import { type Ca, type CaOptions, createCa } from '../../runtime/ca/ca.ts';
import type { Secret } from '../../runtime/lib/secret.ts';
import { createPki, type Pki } from '../../runtime/pki/pki.ts';
import { CaClient } from '../../runtime/step-ca/client.ts';
import { type JwkProvisioner, type MintOptions, TokenSigner } from '../../runtime/step-ca/one-time-token.ts';
import { withAutocertRules } from '../../runtime/step-ca/provisioner.ts';
import { createKeyAndRequest } from '../../runtime/x509/csr.ts';
import { openKey } from '../../runtime/x509/private-key.ts';
import type { CaAddress, Identity } from './ca-requests.ts';
import { quiet } from './logs.ts';

/** A one-time token for these names, of the provisioner `autocert` unless it is to be `admin`'s. */
export type MintToken = (
  names: readonly string[],
  options?: Partial<MintOptions> & { readonly by?: 'admin' | 'autocert' },
) => Promise<Secret>;

/** A CA that serves, and what a test wants of it. */
export interface TestCa extends CaAddress {
  readonly pki: Pki;
  /** As the CA has them. */
  readonly provisioners: readonly JwkProvisioner[];
  readonly client: CaClient;
  readonly token: MintToken;
  /** A certificate for these names, and its key. */
  issue(names: readonly string[], by?: 'admin' | 'autocert'): Promise<Identity>;
  /** Stops, and starts again at the same address. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

/** What makes tokens of both provisioners of a PKI, for a CA at `url`. */
export async function tokenMaker(pki: Pki, url: string): Promise<MintToken> {
  const signers = await Promise.all(
    pki.provisioners.map((provisioner) =>
      TokenSigner.open(provisioner, provisioner.name === 'admin' ? pki.caPassword : pki.autocertPassword),
    ),
  );
  return async (names, { by = 'autocert', ...options } = {}) => {
    const signer = signers.find(({ issuer }) => issuer === by);
    if (!signer) throw new Error(`the PKI has no provisioner ${by}`);
    const subject = names[0] ?? '';
    return signer.mint({ subject, sans: names, caUrl: url, rootFingerprint: pki.fingerprint, ...options });
  };
}

/** What has a CA issue certificates to new keys. */
export function certificateMaker(client: CaClient, token: MintToken): TestCa['issue'] {
  return async (names, by = 'autocert') => {
    const { csrPem, keyPem } = await createKeyAndRequest();
    return { ...(await client.sign({ csrPem, token: await token(names, { by }) })), keyPem };
  };
}

/** Starts one; `options` override those of the CA. */
export async function startTestCa(options: Partial<CaOptions> = {}): Promise<TestCa> {
  const pki = await createPki('Autocert');
  const provisioners = pki.provisioners.map((one) => withAutocertRules(one));
  const start = async (port: number): Promise<{ readonly ca: Ca; readonly url: string }> => {
    const ca = await createCa({
      roots: [pki.rootPem],
      issuer: {
        certificatePem: pki.intermediatePem,
        key: openKey(pki.intermediateKeyPem, pki.caPassword, 'intermediate key'),
      },
      provisioners,
      dnsNames: ['localhost', '127.0.0.1'],
      log: quiet,
      ...options,
    });
    return { ca, url: await ca.listen({ host: '127.0.0.1', port }) };
  };
  let running = await start(0);
  const { url } = running;
  const client = new CaClient({ url, roots: [pki.rootPem] });
  const token = await tokenMaker(pki, url);
  const stop = async () => {
    client.close();
    await running.ca.close();
  };
  return {
    pki,
    rootPem: pki.rootPem,
    provisioners,
    client,
    url,
    token,
    issue: certificateMaker(client, token),
    restart: async () => {
      await stop();
      running = await start(Number(new URL(url).port));
    },
    close: stop,
  };
}

/**
 * The embedded CA on a free port of loopback, with a PKI of its own.
 * @module
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Ca, type CaOptions, createCa } from '../../runtime/ca/ca.ts';
import { CaClient } from '../../runtime/step-ca/client.ts';
import { type MintOptions, TokenSigner } from '../../runtime/step-ca/one-time-token.ts';
import { openKey } from '../../runtime/x509/private-key.ts';
import type { Secret } from '../../runtime/lib/secret.ts';
import { createPki, type Pki } from '../../runtime/pki/pki.ts';

/** A CA that serves, and what a test wants of it. */
export interface TestCa {
  readonly pki: Pki;
  readonly client: CaClient;
  readonly signer: TokenSigner;
  readonly url: string;
  /** A one-time token for these names. */
  token(names: readonly string[], options?: Partial<MintOptions>): Promise<Secret>;
  /** Stops, and starts again with the same state. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

/** Starts one; `options` override those of the CA. */
export async function startTestCa(options: Partial<CaOptions> = {}): Promise<TestCa> {
  const dir = mkdtempSync(join(tmpdir(), 'autocert-ca-'));
  const pki = await createPki('Autocert');
  const autocert = pki.provisioners[1];
  if (!autocert) throw new Error('the PKI has no second provisioner');
  const start = async (port: number): Promise<{ ca: Ca; url: string }> => {
    const ca = await createCa({
      roots: [pki.rootPem],
      issuer: {
        certificatePem: pki.intermediatePem,
        key: openKey(pki.intermediateKeyPem, pki.caPassword, 'intermediate key'),
      },
      provisioners: pki.provisioners,
      dnsNames: ['localhost', '127.0.0.1'],
      ledgerFile: join(dir, 'ledger.jsonl'),
      log: { info: () => {}, warn: () => {}, error: () => {} },
      ...options,
    });
    return { ca, url: await ca.listen({ host: '127.0.0.1', port }) };
  };
  let running = await start(0);
  const { url } = running;
  const client = new CaClient({ url, roots: [pki.rootPem] });
  const signer = await TokenSigner.open(autocert, pki.autocertPassword);
  const stop = async () => {
    client.close();
    await running.ca.close();
  };
  return {
    pki,
    client,
    signer,
    url,
    token: (names, mint = {}) =>
      signer.mint({ subject: names[0] ?? '', sans: names, caUrl: url, rootFingerprint: pki.fingerprint, ...mint }),
    restart: async () => {
      await stop();
      running = await start(Number(new URL(url).port));
    },
    close: async () => {
      await stop();
      rmSync(dir, { recursive: true });
    },
  };
}

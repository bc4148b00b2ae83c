/**
 * The peers that the benchmarks measure and measure against, each a process of its own: a CA (step-ca where this machine
 * has it, else the embedded one), an API server that answers in constant time, the webhook as it is in the image.
 * @module
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { devNull, tmpdir } from 'node:os';
import { join } from 'node:path';
import { ChildProcesses } from '../runtime/cli/demo/child-processes.ts';
import { makePki, type Surroundings, startCa, startWebhook, writeKubeconfig } from '../runtime/cli/demo/components.ts';
import { Provisioner } from '../runtime/contract.ts';
import type { Secret } from '../runtime/lib/secret.ts';
import type { InitializedPki } from '../runtime/pki/files.ts';
import { CaClient } from '../runtime/step-ca/client.ts';
import { type MintOptions, TokenSigner } from '../runtime/step-ca/one-time-token.ts';
import { createKeyAndRequest } from '../runtime/x509/csr.ts';
import { processesNaming } from '../scripts/cluster/processes.ts';
import type { BackgroundOptions } from '../scripts/cluster/shell.ts';
import { findStepCa, launchStepCa } from '../scripts/cluster/step-ca.ts';

/** Root of the repository. */
export const ROOT = join(import.meta.dirname, '..');

/** What `npm run build` writes. */
export const BUNDLE = {
  agent: join(ROOT, 'build/agent.cjs'),
  agentScript: join(ROOT, 'build/agent.sh'),
  autocert: join(ROOT, 'build/autocert.cjs'),
} as const;

/** What a program that is measured prints goes nowhere: to read it would cost time. */
export const UNHEARD: BackgroundOptions = { log: devNull };

const HOST = '127.0.0.1';

/** Files with a certificate for 127.0.0.1 and its key, for servers of the benchmarks. */
export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** Running peers. */
export interface Peers extends AsyncDisposable {
  readonly dir: string;
  readonly pki: InitializedPki;
  /** Which CA it is. */
  readonly caName: string;
  /** Base URL of the API server. */
  readonly apiServer: string;
  /** Base URL of the webhook. */
  readonly webhook: string;
  /** Base URL of the certificate endpoint, the peer of agents. */
  readonly autocertUrl: string;
  readonly webhookPid: number;
  readonly tls: TlsFiles;
  readonly processes: ChildProcesses;
}

/**
 * Starts all of them; disposing of the result ends them.
 * @param answerMs milliseconds that the API server takes for each answer
 */
export async function startPeers(answerMs: number): Promise<Peers> {
  const dir = mkdtempSync(join(tmpdir(), 'autocert-bench-'));
  const processes = new ChildProcesses(join(dir, 'log'));
  const ends: (() => Promise<unknown>)[] = [() => processes.stop()];
  const stop = async () => {
    for (const end of ends) await end();
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    const signal = AbortSignal.timeout(600_000);
    const surroundings: Surroundings = { dir, children: processes, program: BUNDLE.autocert, signal };
    const pki = await makePki(surroundings);
    const stepCa = findStepCa();
    if (stepCa === undefined) await startCa(surroundings, pki);
    else ends.push(await launchStepCa(stepCa, pki, UNHEARD));
    const tls = await tlsFiles(dir, pki);
    const apiServer = await startApiServer(processes, tls, answerMs);
    const kubeconfig = join(dir, 'kubeconfig.json');
    const root = Buffer.from(pki.pki.rootPem).toString('base64');
    writeKubeconfig(kubeconfig, { server: apiServer, 'certificate-authority-data': root });
    const { webhook, certificates: autocertUrl } = await startWebhook(surroundings, pki, kubeconfig);
    const [webhookPid = 0] = processesNaming(join(dir, 'webhook.json'));
    const caName = stepCa === undefined ? 'embedded CA' : 'step-ca';
    const urls = { apiServer, webhook, autocertUrl };
    return { dir, pki, caName, ...urls, webhookPid, tls, processes, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Resolves with the base URL, which the program prints. */
function startApiServer(processes: ChildProcesses, { certFile, keyFile }: TlsFiles, answerMs: number): Promise<string> {
  const program = join(import.meta.dirname, 'programs/api-server.ts');
  return new Promise((resolve) => {
    void processes.node('api-server', [program, certFile, keyFile, String(answerMs)], { onLine: resolve });
  });
}

async function tlsFiles(dir: string, pki: InitializedPki): Promise<TlsFiles> {
  const ca = new CaClient({ url: pki.caUrl, roots: [pki.pki.rootPem] });
  const { keyPem, csrPem } = await createKeyAndRequest();
  const [token] = await mintTokens(pki, { subject: HOST, sans: [HOST] }, 1);
  if (!token) throw new Error('no token');
  const { chainPem } = await ca.sign({ csrPem, token });
  ca.close();
  const files = { certFile: join(dir, 'server.crt'), keyFile: join(dir, 'server.key') };
  writeFileSync(files.certFile, chainPem.join(''));
  writeFileSync(files.keyFile, keyPem.reveal(), { mode: 0o600 });
  return files;
}

/** So many one-time tokens of the provisioner `autocert`: a CA takes none twice. */
export async function mintTokens(
  { caUrl, pki }: InitializedPki,
  claims: Pick<MintOptions, 'subject' | 'sans' | 'csrFingerprint'>,
  count: number,
): Promise<Secret[]> {
  const provisioner = pki.provisioners.find(({ name }) => name === Provisioner.autocert);
  if (!provisioner) throw new Error(`the PKI has no provisioner ${Provisioner.autocert}`);
  const signer = await TokenSigner.open(provisioner, pki.autocertPassword);
  const mint = () => signer.mint({ ...claims, caUrl, rootFingerprint: pki.fingerprint });
  return Promise.all(Array.from({ length: count }, mint));
}

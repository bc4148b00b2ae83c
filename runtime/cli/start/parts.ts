/**
 * Brings up the parts of the way, each as it is in a cluster: PKI, CA, API server (a stand-in), webhook.
 * @module
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { get } from 'node:https';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Provisioner, type WebhookConfig, WebhookPath } from '../../contract.ts';
import { CaClient } from '../../step-ca/client.ts';
import { createKeyAndRequest } from '../../x509/csr.ts';
import { AutocertError } from '../../lib/errors.ts';
import { TokenSigner } from '../../step-ca/one-time-token.ts';
import { type InitializedPki, initPki } from '../../pki/files.ts';
import { StandInApiServer } from './api-server.ts';
import type { Processes } from './processes.ts';

/** Lifetimes that the CA gives: short enough to watch renewals. */
export const LIFETIMES = { default: '24h', min: '5s', max: '24h' } as const;

const HOST = '127.0.0.1';
/** Milliseconds between two looks at a part that starts. */
const POLL = 25;
/** Milliseconds that a part gets to become ready. */
const PATIENCE = 30_000;

/** Where things are, and what starts processes. */
export interface Workshop {
  readonly dir: string;
  readonly processes: Processes;
  /** This program's script, for `node`. */
  readonly program: string;
  readonly signal: AbortSignal;
}

/** A port of loopback that is free now. */
function freePort(): Promise<number> {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.once('error', reject).listen(0, HOST, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}

/** Asks again until it succeeds. Whoever waits races it against the part's end. */
async function until(what: string, check: () => Promise<unknown>, signal: AbortSignal): Promise<void> {
  const deadline = Date.now() + PATIENCE;
  for (;;) {
    signal.throwIfAborted();
    try {
      await check();
      return;
    } catch (error) {
      if (Date.now() > deadline) {
        throw new AutocertError('UNAVAILABLE', `${what} is not ready after ${PATIENCE / 1000} s`, { cause: error });
      }
      await new Promise((resolve) => setTimeout(resolve, POLL));
    }
  }
}

/** Resolves when the URL answers 200; what it answers is text, as for kubelet's probes. */
function answersOk(url: string, ca: string): Promise<void> {
  return new Promise((resolve, reject) => {
    get(url, { ca, agent: false }, (response) => {
      response.resume();
      if (response.statusCode === 200) resolve();
      else reject(new Error(`${url} answers ${response.statusCode}`));
    }).on('error', reject);
  });
}

/** Root, intermediate, provisioners, and the CA's configuration for a free port. */
export async function makePki({ dir }: Workshop): Promise<InitializedPki> {
  return initPki({
    dir: join(dir, 'pki'),
    dnsNames: [HOST, 'localhost'],
    address: `${HOST}:${await freePort()}`,
    claims: {
      minTLSCertDuration: LIFETIMES.min,
      defaultTLSCertDuration: LIFETIMES.default,
      maxTLSCertDuration: LIFETIMES.max,
    },
    passwordFiles: true,
  });
}

/** `autocert ca`, until it answers. */
export async function startCa({ processes, program, signal }: Workshop, pki: InitializedPki): Promise<CaClient> {
  void processes.node('ca', [program, 'ca', '--config', pki.configFile, '--password-file', pki.caPasswordFile]);
  const client = new CaClient({ url: pki.caUrl, roots: [pki.pki.rootPem] });
  await until('the CA', () => client.health(), signal);
  return client;
}

/** The stand-in, with a certificate of the CA; its kubeconfig is written to `kubeconfig`. */
export async function startApiServer(
  ca: CaClient,
  { pki }: InitializedPki,
  kubeconfig: string,
): Promise<{ api: StandInApiServer; url: string }> {
  const provisioner = pki.provisioners.find(({ name }) => name === Provisioner.admin);
  if (!provisioner) throw new Error(`the PKI has no provisioner ${Provisioner.admin}`);
  const signer = await TokenSigner.open(provisioner, pki.caPassword);
  const { keyPem, csrPem } = await createKeyAndRequest();
  const token = await signer.mint({
    subject: 'kubernetes',
    sans: [HOST],
    caUrl: ca.url,
    rootFingerprint: pki.fingerprint,
  });
  const { chainPem } = await ca.sign({ csrPem, token });
  const api = new StandInApiServer({ cert: chainPem.join(''), key: keyPem });
  const url = await api.listen();
  const cluster = { server: url, 'certificate-authority-data': Buffer.from(pki.rootPem).toString('base64') };
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'stand-in', cluster }],
    users: [{ name: 'webhook', user: { token: 'the stand-in lets everyone in' } }],
    contexts: [{ name: 'stand-in', context: { cluster: 'stand-in', user: 'webhook' } }],
    'current-context': 'stand-in',
  };
  writeFileSync(kubeconfig, JSON.stringify(config), { mode: 0o600 });
  return { api, url };
}

/** `autocert webhook`, until it is ready; its base URL. */
export async function startWebhook(workshop: Workshop, pki: InitializedPki, kubeconfig: string): Promise<string> {
  const { dir, processes, program, signal } = workshop;
  const port = await freePort();
  const url = `https://${HOST}:${port}`;
  const config: WebhookConfig = {
    caUrl: pki.caUrl,
    rootFile: pki.rootFile,
    provisioner: Provisioner.autocert,
    provisionerPasswordFile: pki.autocertPasswordFile,
    clusterDomain: 'cluster.local',
    defaultDuration: LIFETIMES.default,
    minDuration: LIFETIMES.min,
    maxDuration: LIFETIMES.max,
    namespaces: {},
    autocertUrl: url,
    servingNames: [HOST],
    port,
    agent: {
      image: 'autocert:local',
      imagePullPolicy: 'IfNotPresent',
      resources: { requests: { cpu: '10m', memory: '64Mi' }, limits: { cpu: '500m', memory: '128Mi' } },
    },
    delivery: 'auto',
    sidecar: 'auto',
  };
  const file = join(dir, 'webhook.json');
  writeFileSync(file, JSON.stringify(config, null, 2));
  void processes.node('webhook', [program, 'webhook', '--config', file], { env: { KUBECONFIG: kubeconfig } });
  await until('the webhook', () => answersOk(`${url}${WebhookPath.readyz}`, pki.pki.rootPem), signal);
  return url;
}

/** Makes the folders of a workshop. */
export function furnish(dir: string): void {
  for (const name of ['log', 'pods']) mkdirSync(join(dir, name));
}

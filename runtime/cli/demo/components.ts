/**
 * Brings up what the demo needs, each part as it is in a cluster: PKI, CA, API server (a few of its answers), webhook.
 * @module
 */
import { writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { Provisioner, type WebhookConfig } from '../../contract.ts';
import { kubeconfig } from '../../kubernetes/kubeconfig.ts';
import { readAll } from '../../kubernetes/wire.ts';
import { AutocertError } from '../../lib/errors.ts';
import { freePort, freePorts } from '../../lib/free-ports.ts';
import { sleep } from '../../lib/loops.ts';
import { type InitializedPki, initPki } from '../../pki/files.ts';
import { CaClient } from '../../step-ca/client.ts';
import { DemoApiServer } from './api-server.ts';
import type { ChildProcesses } from './child-processes.ts';

/** Lifetimes that the CA gives: short enough to watch renewals. */
export const LIFETIMES = { default: '24h', min: '5s', max: '24h' } as const;

const HOST = '127.0.0.1';
/** Milliseconds between two looks at a part that starts, and for how long. */
const POLL_MS = 25;
const PATIENCE_MS = 60_000;

/** Where everything happens. */
export interface Surroundings {
  /** A folder for all files. */
  readonly dir: string;
  readonly children: ChildProcesses;
  /** This program's script, for Node. */
  readonly program: string;
  readonly signal: AbortSignal;
}

/** Where the webhook listens. */
export interface WebhookUrls {
  /** For admission. */
  readonly webhook: string;
  /** For agents. */
  readonly certificates: string;
  /** For probes and metrics. */
  readonly health: string;
}

/** Asks again until it succeeds. Whoever waits races it against the part's end. */
async function untilReady(what: string, check: () => Promise<unknown>, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    signal.throwIfAborted();
    try {
      await check();
      return;
    } catch (cause) {
      if (performance.now() < deadline) await sleep(POLL_MS, signal);
      else throw new AutocertError('UNAVAILABLE', `${what} is not ready after ${PATIENCE_MS / 1000} s`, { cause });
    }
  }
}

/** What the URL answers with 200, which is text, as for kubelet's probes. */
export function textOf(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get(url, { agent: false }, (response) => {
      if (response.statusCode === 200) return void readAll(response, url).then(resolve, reject);
      response.resume();
      reject(new Error(`${url} answers ${response.statusCode}`));
    }).on('error', reject);
  });
}

/** Root, intermediate, provisioners, and the CA's configuration for a free port. */
export async function makePki({ dir }: Surroundings): Promise<InitializedPki> {
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
export async function startCa({ children, program, signal }: Surroundings, pki: InitializedPki): Promise<void> {
  void children.node('ca', [program, 'ca', '--config', pki.configFile, '--password-file', pki.caPasswordFile]);
  const client = new CaClient({ url: pki.caUrl, roots: [pki.pki.rootPem] });
  await untilReady('the CA', () => client.health(), signal).finally(() => client.close());
}

/** The API server, and the file by which the webhook finds it. */
export async function startApiServer({
  dir,
  signal,
}: Surroundings): Promise<{ api: DemoApiServer; kubeconfig: string }> {
  const api = new DemoApiServer();
  const file = join(dir, 'kubeconfig.json');
  writeKubeconfig(file, { server: await api.listen() });
  signal.addEventListener('abort', () => api.close(), { once: true });
  return { api, kubeconfig: file };
}

/** A kubeconfig for an API server that lets everyone in. `cluster`: its entry for the server. */
export function writeKubeconfig(file: string, cluster: object): void {
  writeFileSync(file, kubeconfig(cluster, {}), { mode: 0o600 });
}

/** `autocert webhook`, until it is ready. */
export async function startWebhook(
  { dir, children, program, signal }: Surroundings,
  pki: InitializedPki,
  kubeconfigFile: string,
): Promise<WebhookUrls> {
  const [port = 0, certificatePort = 0, healthPort = 0] = await freePorts(3);
  const urls = {
    webhook: `https://${HOST}:${port}`,
    certificates: `https://${HOST}:${certificatePort}`,
    health: `http://${HOST}:${healthPort}`,
  };
  const config: WebhookConfig = {
    caUrl: pki.caUrl,
    rootFile: pki.rootFile,
    provisioner: Provisioner.autocert,
    provisionerPasswordFile: pki.autocertPasswordFile,
    namespace: 'step',
    clusterDomain: 'cluster.local',
    reservedNames: [],
    defaultDuration: LIFETIMES.default,
    minDuration: LIFETIMES.min,
    maxDuration: LIFETIMES.max,
    excludedNamespaces: [],
    namespaces: {},
    issuanceEvents: true, // by which the dashboard knows of renewals
    autocertUrl: urls.certificates,
    servingNames: [HOST],
    host: HOST,
    port,
    certificatePort,
    healthPort,
    agent: {
      image: 'autocert:local',
      imagePullPolicy: 'IfNotPresent',
      resources: { requests: { cpu: '10m', memory: '16Mi' }, limits: { cpu: '1', memory: '128Mi' } },
    },
    delivery: 'auto',
    sidecar: 'auto',
  };
  const file = join(dir, 'webhook.json');
  writeFileSync(file, JSON.stringify(config, null, 2));
  void children.node('webhook', [program, 'webhook', '--config', file], { env: { KUBECONFIG: kubeconfigFile } });
  await untilReady('the webhook', () => textOf(`${urls.health}/readyz`), signal);
  return urls;
}

/**
 * All four programs with their metrics, each with something to tell: the webhook, the signer, real step-ca, and what the
 * supervisor serves.
 * @module
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SignerConfig } from '../../runtime/contract.ts';
import { KubernetesApi } from '../../runtime/kubernetes/client.ts';
import { FollowedFile } from '../../runtime/lib/followed-file.ts';
import { freePort } from '../../runtime/lib/free-ports.ts';
import { serveHealth } from '../../runtime/lib/health-server.ts';
import { readTextFile } from '../../runtime/lib/text-file.ts';
import { readSignerConfig } from '../../runtime/signer/config.ts';
import { signUntil } from '../../runtime/signer/run.ts';
import { supervisorMetrics } from '../../runtime/supervisor/metrics.ts';
import { createKeyAndRequest } from '../../runtime/x509/csr.ts';
import { waitFor } from '../../scripts/cluster/shell.ts';
import { FakeApiServer } from '../unit/signer/fake-api-server.ts';
import { POLICY, podOf, requestOf } from '../unit/signer/fixtures.ts';
import { keptLog } from './logs.ts';
import type { Target } from './prometheus.ts';
import { startStepCa } from './running-ca.ts';
import { WebhookWorld } from './webhook-world.ts';

const LABELS = { namespace: 'step' };

/** What is there to scrape. */
export interface MonitoredWorld extends AsyncDisposable {
  readonly targets: readonly Target[];
  /** What each target answers, by job. */
  scrape(): Promise<readonly { readonly job: string; readonly text: string }[]>;
  /** Has a certificate issued by each way of delivery. */
  issue(): Promise<void>;
}

/** Starts all of it. */
export async function monitoredWorld(): Promise<MonitoredWorld> {
  await using stack = new AsyncDisposableStack();
  const webhook = stack.use(await WebhookWorld.ready());
  const signer = await signerOf(stack);
  const supervisor = await supervisorOf(stack);
  const targets: readonly Target[] = [
    { job: 'autocert', port: webhook.webhook.healthPort, labels: { ...LABELS, pod: 'autocert-0' } },
    { job: 'autocert-signer', port: signer.port, labels: { ...LABELS, pod: 'autocert-signer-0' } },
    { job: 'ca', port: signer.caMetricsPort, labels: { ...LABELS, pod: 'ca-0' } },
    { job: 'ca', port: supervisor, labels: { ...LABELS, pod: 'ca-0' } },
  ];
  let issued = 0;
  const issue = async () => {
    issued += 1;
    const { csrPem } = await createKeyAndRequest();
    await webhook.patch();
    await webhook.certificate('good', csrPem);
    await signer.issue(`request-${issued}`);
  };
  await issue();
  const report = {
    reason: 'no space left',
    since: '2026-01-01T00:00:00Z',
    notAfter: '2026-01-02T00:00:00Z',
    late: true,
  };
  await webhook.call('/report', { port: webhook.webhook.certificatePort, body: report, token: 'good' });
  const kept = stack.move();
  return {
    targets,
    issue,
    scrape: () =>
      Promise.all(
        targets.map(async ({ job, port }) => ({ job, text: await textOf(`http://127.0.0.1:${port}/metrics`) })),
      ),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

const soon = <T>(what: string, look: () => Promise<T | undefined | false>) => waitFor(what, look, { everyMs: 20 });

async function textOf(url: string): Promise<string> {
  return (await fetch(url)).text();
}

/** A signer that leads, before real step-ca. */
async function signerOf(stack: AsyncDisposableStack) {
  const folder = mkdtempSync(join(tmpdir(), 'autocert-monitored-'));
  stack.defer(() => rmSync(folder, { recursive: true }));
  const caMetricsPort = await freePort();
  const ca = await startStepCa(({ configFile }) => {
    const config = JSON.parse(readTextFile(configFile));
    writeFileSync(configFile, JSON.stringify({ ...config, metricsAddress: `127.0.0.1:${caMetricsPort}` }));
  });
  stack.defer(() => ca.stop());
  const server = new FakeApiServer();
  const api = new KubernetesApi({ server: await server.listen(), headers: () => ({}) });
  stack.defer(() => server.close());
  server.webhookConfiguration = { webhooks: [{ name: 'autocert.step.sm', clientConfig: {} }] };
  const config: SignerConfig = {
    ...POLICY,
    maxDuration: '24h',
    caUrl: ca.url,
    rootFile: ca.files.rootFile,
    provisioner: 'autocert',
    provisionerPasswordFile: join(folder, 'password'),
    lease: { namespace: 'step', name: 'autocert-signer' },
    port: 0,
    webhookConfiguration: 'autocert',
  };
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  writeFileSync(config.provisionerPasswordFile, ca.files.pki.autocertPassword.reveal());
  const log = keptLog();
  const stop = new AbortController();
  const followed = new FollowedFile(join(folder, 'config.json'), readSignerConfig, log);
  const ended = signUntil(stop.signal, followed, api, log);
  stack.defer(async () => {
    stop.abort();
    await ended;
  });
  const { port } = (await soon('the signer', async () => log.lines.find(({ message }) => message === 'listening')))
    .fields;
  await soon('what the leader tells', async () => {
    const text = await textOf(`http://localhost:${port}/metrics`);
    return /^autocert_signer_ca_bundle_current 1$/m.test(text) && /^autocert_pods_injected /m.test(text);
  });
  return {
    port: Number(port),
    caMetricsPort,
    issue: async (uid: string) => {
      server.add(requestOf({}, uid), podOf());
      await soon('its answer', async () => log.lines.some(({ fields }) => fields.request === `req-${uid}`));
    },
  };
}

/** What the supervisor serves, of a CA in good health. Its port. */
async function supervisorOf(stack: AsyncDisposableStack): Promise<number> {
  const metrics = supervisorMetrics();
  metrics.ready(true);
  metrics.configurationFits(true);
  metrics.configured(new Date());
  metrics.measured(1_000_000, { bytes: 1_000_000_000, free: 900_000_000 });
  metrics.checked(new Map([['x509_certs', { entries: 3, bytes: 1000 }]]));
  metrics.rewritten(new Date());
  metrics.restarted('configuration');
  const server = await serveHealth(0, { notReady: () => undefined, metrics });
  stack.defer(() => server.close());
  return server.port;
}

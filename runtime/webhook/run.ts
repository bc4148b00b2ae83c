/**
 * The webhook as a program: finds out what it has to know, keeps it current, serves, and stops in order.
 * @module
 */
import { lookup } from 'node:dns/promises';
import type { AddressInfo } from 'node:net';
import type { WebhookConfig } from '../contract.ts';
import type { Validity } from '../x509/certificate.ts';
import { readWebhookConfig } from './config.ts';
import { AutocertError } from '../lib/errors.ts';
import { KubernetesApi } from '../kubernetes/client.ts';
import type { Log } from '../lib/log.ts';
import { createMetrics } from '../lib/metrics.ts';
import { serverLog } from '../lib/server-log.ts';
import { stopSignal } from '../lib/stop-signal.ts';
import { buildApp, type WebhookApp } from './app.ts';
import { CaLink } from './ca-link.ts';
import { type Capabilities, findCapabilities } from './capabilities.ts';
import { type SidecarPatch, sidecarPatch } from './injection-patch.ts';
import { placeholderCertificate, type ServingPair } from './placeholder-certificate.ts';
import { pause, repeat } from './repeat.ts';
import { ServiceAddresses } from './service-addresses.ts';
import { keepServing, obtainServing, type ServingState } from './serving-certificate.ts';
import { createTokenEndpoint } from './token-endpoint.ts';

/** What {@link startWebhook} is made of. */
export interface WebhookOptions {
  readonly config: WebhookConfig;
  readonly api: Pick<KubernetesApi, 'get' | 'create'>;
  readonly log: Log;
  /** Starts the end: not ready at once, closed after `lingerMs`. */
  readonly signal: AbortSignal;
  /** Address to listen on. @default '::', which takes IPv4 as well */
  readonly host?: string;
  /** How long requests are still taken while the Service's endpoints are taken away. @default 3000 */
  readonly lingerMs?: number;
}

/** A webhook that listens. */
export interface RunningWebhook {
  readonly port: number;
  /** Resolves when it has stopped. */
  readonly stopped: Promise<void>;
}

/** How often roots, key, API server and Services are looked at again. */
const REFRESH_MS = 60_000;
const LINGER_MS = 3_000;

/** Runs the webhook with the configuration in `configFile` until SIGTERM or SIGINT. */
export async function runWebhook(configFile: string): Promise<void> {
  const config = readWebhookConfig(configFile);
  const log = serverLog('webhook');
  const webhook = await startWebhook({ config, api: KubernetesApi.load(), log, signal: stopSignal() });
  await webhook.stopped;
}

/** Starts the webhook. It listens at once, and is ready when it has reached the API server and the CA. */
export async function startWebhook(options: WebhookOptions): Promise<RunningWebhook> {
  const { config, api, log, signal } = options;
  const metrics = createMetrics({ process: true });
  const expiry = metrics.gauge('serving_certificate_not_after_seconds', 'When it expires, Unix time.', []);
  const link = new CaLink(config);
  const addresses = new ServiceAddresses([config.caUrl, config.autocertUrl]);
  const serving: ServingState = {};
  const problems = new Map<string, string | undefined>();
  let capabilities: Capabilities | undefined;
  let sidecar: SidecarPatch | undefined;

  const unready = (): string | undefined => {
    if (signal.aborted) return 'stopping';
    if (!capabilities) return `waiting for the API server: ${problems.get('API server') ?? 'not asked yet'}`;
    if (!sidecar) return `waiting for the root certificate: ${problems.get('CA') ?? 'not read yet'}`;
    if (!link.issuer) return `waiting for the CA: ${problems.get('CA') ?? 'not asked yet'}`;
    if (serving.validity && serving.validity.notAfter > new Date()) return undefined;
    return `waiting for the CA: no serving certificate: ${serving.problem ?? 'not asked yet'}`;
  };
  const app = buildApp({
    config,
    capabilities: () => capabilities,
    sidecar: () => sidecar,
    tokens: createTokenEndpoint(config, { api, issuer: () => link.issuer, now: () => performance.now() }),
    unready,
    metrics,
    log,
    tls: placeholderCertificate(new Date()),
  });

  const port = await listen(app, config.port, options.host);
  log.info({ port, delivery: config.delivery }, 'listening');

  const prepareSidecar = () => {
    const { roots, fingerprints } = link;
    sidecar = sidecarPatch({ ...config, roots, fingerprints, hostAliases: addresses.aliases });
  };
  const serve = () => {
    const obtain = async () => {
      if (!link.issuer) throw new AutocertError('UNAVAILABLE', 'the CA has not been asked yet');
      return obtainServing(link.ca, link.issuer, config.servingNames);
    };
    const install = ({ certificatePem, keyPem }: ServingPair, { notAfter }: Validity) => {
      app.server.setSecureContext({ cert: certificatePem, key: keyPem.reveal(), minVersion: 'TLSv1.2' });
      expiry.set(notAfter.getTime() / 1000);
    };
    const clock = { now: () => new Date(), random: Math.random, sleep: pause };
    return keepServing({ obtain, install, log, ...clock }, serving, signal);
  };
  const keep = (what: string, task: () => Promise<void>) => {
    const onOutcome = (problem: string | undefined) => void problems.set(what, problem);
    return repeat(task, { what, everyMs: REFRESH_MS, log, signal, onOutcome });
  };
  let servingLoop: Promise<void> | undefined;
  const tasks = [
    keep('API server', async () => {
      capabilities = await findCapabilities(api);
    }),
    keep('CA', async () => {
      if (await link.readRoots()) prepareSidecar();
      await link.openKey();
      servingLoop ??= serve();
    }),
    keep('Services', async () => {
      await addresses.refresh(async (host) => (await lookup(host)).address, log);
      if (link.fingerprints.length > 0) prepareSidecar();
    }),
  ];
  const stopped = Promise.all(tasks).then(async () => {
    log.info({}, 'stopping');
    await servingLoop;
    await pause(options.lingerMs ?? LINGER_MS, new AbortController().signal);
    await app.close();
  });
  return { port, stopped };
}

/** Listens on all addresses, on a machine without IPv6 as well. */
async function listen(app: WebhookApp, port: number, host = '::'): Promise<number> {
  try {
    await app.listen({ port, host });
  } catch (error) {
    if (host !== '::' || (error as NodeJS.ErrnoException).code !== 'EAFNOSUPPORT') throw error;
    await app.listen({ port, host: '0.0.0.0' });
  }
  return (app.server.address() as AddressInfo).port;
}

/**
 * The signer program: `autocert signer --config …`.
 *
 * On a cluster without pod certificates it does nothing but look for them now and then, so that one manifest fits every
 * cluster and an upgraded one needs no new rollout.
 * @module
 */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { SignerConfig } from '../contract.ts';
import { hasPodCertificates, namespaceLabels } from '../kubernetes/cluster-state.ts';
import { readSignerConfig } from './config.ts';
import { messageOf } from '../lib/errors.ts';
import { KubernetesApi } from '../kubernetes/client.ts';
import { leadWhenElected } from '../kubernetes/leader-election.ts';
import type { Log } from '../lib/log.ts';
import { serverLog } from '../lib/server-log.ts';
import { stopSignal } from '../lib/stop-signal.ts';
import { Answerer } from './answer-request.ts';
import { CaSession, caOpener } from './ca-session.ts';
import * as cluster from './cluster.ts';
import { serveHealth } from './health-server.ts';
import { lead } from './lead.ts';
import { type SignerMetrics, signerMetrics } from './metrics.ts';
import { sleep } from './sleep.ts';

const LOOK_AGAIN_MS = 30_000;
const RETRY_MS = 2000;

/** Runs until SIGTERM or SIGINT. */
export async function runSigner(configFile: string): Promise<void> {
  const stop = stopSignal();
  await signUntil(stop, readSignerConfig(configFile), KubernetesApi.load(), serverLog('signer'));
}

/** {@link runSigner} with everything given. */
export async function signUntil(stop: AbortSignal, config: SignerConfig, api: KubernetesApi, log: Log): Promise<void> {
  const metrics = signerMetrics();
  let notReady: string | undefined = 'waiting for the API server';
  const server = await serveHealth(config.port, { notReady: () => notReady, metrics });
  log.info({ port: server.port }, 'listening');
  try {
    await podCertificates(api, log, stop, (reason) => {
      notReady = reason;
    });
    if (!stop.aborted) await elected(stop, config, api, log, metrics);
  } finally {
    await server.close();
  }
}

/** Resolves when the API server has pod certificates, or `stop` aborts. Without them the signer is ready, and idle. */
async function podCertificates(
  api: KubernetesApi,
  log: Log,
  stop: AbortSignal,
  setNotReady: (reason: string | undefined) => void,
): Promise<void> {
  let said = false;
  while (!stop.aborted) {
    let pause = LOOK_AGAIN_MS;
    try {
      const found = await hasPodCertificates(api);
      setNotReady(undefined);
      if (found) return;
      if (!said) log.info({}, 'idle: this API server has no certificates.k8s.io/v1 pod certificates (Kubernetes 1.37)');
      said = true;
    } catch (error) {
      pause = RETRY_MS;
      log.warn({ err: messageOf(error) }, 'the API server cannot be asked for pod certificates');
    }
    await sleep(pause, stop);
  }
}

async function elected(
  stop: AbortSignal,
  config: SignerConfig,
  api: KubernetesApi,
  log: Log,
  metrics: SignerMetrics,
): Promise<void> {
  const session = new CaSession(caOpener(config));
  const answerer = new Answerer(config, {
    readPod: (namespace, name) => cluster.readPod(api, namespace, name),
    namespaceEnabled: namespaceLabels(api, () => performance.now()),
    sign: (order) => session.sign(order),
    roots: () => session.roots(),
    writeStatus: (request, status) => cluster.writeStatus(api, request, status),
    distrust: () => session.reopen(),
    now: () => new Date(),
  });
  const ports = {
    answer: answerer.answer.bind(answerer),
    requests: {
      list: () => cluster.listRequests(api),
      watch: cluster.watchRequests.bind(undefined, api),
      sleep,
      log,
    },
    trustBundle: {
      roots: () => session.refreshRoots(),
      apply: cluster.applyTrustBundle.bind(undefined, api),
      sleep,
      log,
    },
    keepConnected: () => session.keepConnected(),
    sleep,
    metrics,
    log,
  };
  // The host's name alone would let a restarted container take its predecessor's office for its own.
  const options = { ...config.lease, identity: `${hostname()}_${randomUUID().slice(0, 8)}` };
  const election = {
    ...cluster.leaseCalls(api, config.lease),
    now: () => performance.now(),
    wallClock: () => new Date(),
    sleep,
    log,
  };
  await leadWhenElected(options, election, (signal) => lead(ports, signal), stop);
}

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
import { KubernetesApi } from '../kubernetes/client.ts';
import { hasPodCertificates, namespaceLabels, readPod } from '../kubernetes/cluster-state.ts';
import { PodEvents } from '../kubernetes/events.ts';
import { leadWhenElected } from '../kubernetes/leader-election.ts';
import { FOLLOW_FILES_MS, FollowedFile } from '../lib/followed-file.ts';
import type { Log } from '../lib/log.ts';
import { type Repetition, repeat, sleep } from '../lib/loops.ts';
import { serverLog } from '../lib/server-log.ts';
import { stopSignal } from '../lib/stop-signal.ts';
import { caOpener, Issuer } from '../step-ca/issuer.ts';
import * as cluster from './cluster.ts';
import { readSignerConfig } from './config.ts';
import { serveHealth } from './health-server.ts';
import { lead } from './leader.ts';
import { type SignerMetrics, signerMetrics } from './metrics.ts';
import { Reconciler } from './reconciler.ts';
import { trustBundlePublisher } from './trust-bundle.ts';

const COMPONENT = 'autocert-signer';
const LOOK_AGAIN_MS = 30_000;
const monotonic = () => performance.now();

type Config = FollowedFile<SignerConfig>;

/** Runs until SIGTERM or SIGINT. */
export async function runSigner(configFile: string): Promise<void> {
  const log = serverLog('signer');
  const stop = stopSignal();
  await signUntil(stop, new FollowedFile(configFile, readSignerConfig, log), KubernetesApi.load(), log);
}

/** {@link runSigner} with everything given. `followMs`: how often the configuration is looked at. */
export async function signUntil(
  stop: AbortSignal,
  config: Config,
  api: KubernetesApi,
  log: Log,
  followMs = FOLLOW_FILES_MS,
): Promise<void> {
  const metrics = signerMetrics();
  const issuer = new Issuer({ open: caOpener(() => config.current), now: () => new Date(), monotonic });
  let notReady: string | undefined = 'waiting for the API server';
  const server = await serveHealth(config.current.port, { notReady: () => notReady, metrics });
  log.info({ port: server.port }, 'listening');
  const followed = followConfig(config, issuer, { everyMs: followMs, log, signal: stop });
  try {
    await podCertificates(api, log, stop, () => {
      notReady = undefined;
    });
    if (!stop.aborted) await elected(stop, config, issuer, api, log, metrics);
    await followed;
  } finally {
    await server.close();
  }
}

/** Takes changes of the configuration over while the program runs, but for two that bind it to its surroundings. */
async function followConfig(config: Config, issuer: Issuer, repetition: Repetition): Promise<void> {
  const bound = ({ port, lease }: SignerConfig) => JSON.stringify({ port, lease: [lease.namespace, lease.name] });
  const atStart = bound(config.current);
  const refresh = async () => {
    if (!config.refresh()) return;
    issuer.invalidate();
    if (bound(config.current) === atStart) return;
    repetition.log.warn({}, 'port or lease has changed in the configuration: that takes a restart');
  };
  await repeat(refresh, repetition);
}

/** Resolves when the API server has pod certificates, or `stop` aborts. Without them the signer is ready, and idle. */
async function podCertificates(api: KubernetesApi, log: Log, stop: AbortSignal, ready: () => void): Promise<void> {
  const found = new AbortController();
  let said = false;
  const look = async () => {
    if (await hasPodCertificates(api)) return found.abort();
    if (!said) log.info({}, 'idle: this API server has no certificates.k8s.io/v1 pod certificates (Kubernetes 1.37)');
    said = true;
  };
  await repeat(look, {
    what: 'the API server cannot be asked for pod certificates',
    everyMs: LOOK_AGAIN_MS,
    onOutcome: (problem) => {
      if (problem === undefined) ready();
    },
    log,
    signal: AbortSignal.any([stop, found.signal]),
  });
}

async function elected(
  stop: AbortSignal,
  config: Config,
  issuer: Issuer,
  api: KubernetesApi,
  log: Log,
  metrics: SignerMetrics,
): Promise<void> {
  const now = () => new Date();
  const events = new PodEvents({ api, component: COMPONENT, log });
  const reconciler = new Reconciler({
    policy: () => config.current,
    readPod: (namespace, name) => readPod(api, namespace, name),
    namespaceEnabled: namespaceLabels(api, monotonic),
    issue: (order) => issuer.issue(order),
    writeStatus: (request, status) => cluster.writeStatus(api, request, status),
    recordEvent: (pod, reason, message) => events.record(pod, reason, message),
    now,
    monotonic,
    random: Math.random,
  });
  const ports = {
    reconcile: (work: Parameters<Reconciler['reconcile']>[0]) => reconciler.reconcile(work),
    requests: {
      list: cluster.listRequests.bind(undefined, api),
      watch: cluster.watchRequests.bind(undefined, api),
    },
    issuer,
    publish: trustBundlePublisher((bundle) => cluster.applyTrustBundle(api, bundle), log),
    sleep,
    now,
    monotonic,
    metrics,
    log,
  };
  const { lease } = config.current;
  // The host's name alone would let a restarted container take its predecessor's office for its own.
  const options = { ...lease, identity: `${hostname()}_${randomUUID().slice(0, 8)}` };
  const election = { ...cluster.leaseCalls(api, lease), now: monotonic, wallClock: now, sleep, log };
  await leadWhenElected(options, election, (signal) => lead(ports, signal), stop);
}

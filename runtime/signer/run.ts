/**
 * The signer program: `autocert signer --config …`. One replica is elected, on every cluster, and does the leader's duties.
 * @module
 */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { SignerConfig } from '../contract.ts';
import { KubernetesApi } from '../kubernetes/client.ts';
import { hasPodCertificates, namespaceLabels, readPod } from '../kubernetes/cluster-state.ts';
import { PodEvents } from '../kubernetes/events.ts';
import { type ElectionPorts, leadWhenElected } from '../kubernetes/leader-election.ts';
import { FOLLOW_FILES_MS, FollowedFile } from '../lib/followed-file.ts';
import { serveHealth } from '../lib/health-server.ts';
import type { Log } from '../lib/log.ts';
import { type Repetition, repeat, sleep } from '../lib/loops.ts';
import { createMetrics, type Metrics } from '../lib/metrics.ts';
import { serverLog } from '../lib/server-log.ts';
import { stopSignal } from '../lib/stop-signal.ts';
import { signerName } from '../policy/cluster-names.ts';
import { labelOf } from '../policy/namespace-label.ts';
import { caOpener, Issuer } from '../step-ca/issuer.ts';
import { caBundleKeeper } from './ca-bundle.ts';
import * as cluster from './cluster.ts';
import { readSignerConfig } from './config.ts';
import type { Duty } from './duty.ts';
import { lead } from './leader.ts';
import { type SignerMetrics, signerMetrics } from './metrics.ts';
import { Observation } from './observation.ts';
import type { Work } from './pod-certificate-request.ts';
import { Reconciler } from './reconciler.ts';
import { trustBundlePublisher } from './trust-bundle.ts';

const COMPONENT = 'autocert-signer';
/** A webhook configuration that was applied anew works again after this long; sooner while there are no roots yet. */
const CA_BUNDLE_MS = { usual: 10_000, withoutRoots: 1_000 } as const;
const monotonic = () => performance.now();

type Config = FollowedFile<SignerConfig>;

/** Runs until SIGTERM or SIGINT. */
export async function runSigner(configFile: string): Promise<void> {
  const log = serverLog('signer');
  const stop = stopSignal();
  const read = (file: string) => readSignerConfig(file, process.env.KUBERNETES_SERVICE_HOST);
  await signUntil(stop, new FollowedFile(configFile, read, log), KubernetesApi.load(), log);
}

/** {@link runSigner} with everything given. `followMs`: how often the configuration is looked at. */
export async function signUntil(
  stop: AbortSignal,
  config: Config,
  api: KubernetesApi,
  log: Log,
  followMs = FOLLOW_FILES_MS,
): Promise<void> {
  const registry = createMetrics({ process: true });
  const metrics = signerMetrics(registry);
  const issuer = new Issuer({ open: caOpener(() => config.current, log), now: () => new Date(), monotonic });
  let notReady: string | undefined = 'waiting for the API server';
  const server = await serveHealth(config.current.port, { notReady: () => notReady, metrics });
  log.info({ port: server.port }, 'listening');
  const followed = followConfig(config, issuer, { everyMs: followMs, log, signal: stop });
  try {
    await elected(stop, { config, issuer, api, log, metrics, registry }, () => {
      notReady = undefined;
    });
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

interface Parts {
  readonly config: Config;
  readonly issuer: Issuer;
  readonly api: KubernetesApi;
  readonly log: Log;
  readonly metrics: SignerMetrics;
  readonly registry: Metrics;
}

/** Stands for election, and leads when elected, until `stop` aborts. `ready`: the API server has answered. */
async function elected(stop: AbortSignal, parts: Parts, ready: () => void): Promise<void> {
  const { config, issuer, api, log, metrics } = parts;
  const { lease, namespace } = config.current;
  const now = () => new Date();
  const observation = new Observation({ ...parts, policy: () => config.current, component: COMPONENT, now, monotonic });
  const reconciler = reconcilerOf(parts, now);
  const ports = {
    isPossible: () => hasPodCertificates(api),
    reconcile: async (work: Work) => observation.seen(work, await reconciler.reconcile(work)),
    requests: {
      list: cluster.listRequests.bind(undefined, api, signerName(namespace)),
      watch: cluster.watchRequests.bind(undefined, api, signerName(namespace)),
    },
    issuer,
    publish: trustBundlePublisher((bundle) => cluster.applyTrustBundle(api, bundle), namespace, log),
    duties: [...dutiesOf(parts, now), observation.duty],
    sleep,
    now,
    monotonic,
    metrics,
    log,
  };
  // The host's name alone would let a restarted container take its predecessor's office for its own.
  const options = { ...lease, identity: `${hostname()}_${randomUUID().slice(0, 8)}` };
  const calls = announced(cluster.leaseCalls(api, lease), ready);
  const election = { ...calls, now: monotonic, wallClock: now, sleep, log };
  await leadWhenElected(options, election, (signal) => lead(ports, observation.during(signal)), stop);
}

/** What the leader does besides native delivery. */
function dutiesOf({ config, issuer, api, log, metrics }: Parts, now: () => Date): readonly Duty[] {
  const caBundle = caBundleKeeper({
    configuration: () => config.current.webhookConfiguration,
    anchors: () => issuer.anchors,
    read: (name) => cluster.readWebhookConfiguration(api, name),
    apply: (name, bundle) => cluster.applyCaBundle(api, name, bundle),
    onLook: (isCurrent) => metrics.caBundle(isCurrent, now()),
    log,
  });
  const caBundleMs = () => (issuer.anchors.length === 0 ? CA_BUNDLE_MS.withoutRoots : CA_BUNDLE_MS.usual);
  return [{ what: 'caBundle of the webhook is not kept', everyMs: caBundleMs, run: caBundle }];
}

function reconcilerOf({ config, issuer, api, log }: Parts, now: () => Date): Reconciler {
  const events = new PodEvents({ api, component: COMPONENT, log });
  return new Reconciler({
    policy: () => config.current,
    readPod: (namespace, name) => readPod(api, namespace, name),
    namespaceEnabled: namespaceLabels(api, () => labelOf(config.current), monotonic),
    issue: (order) => issuer.issue(order),
    writeStatus: (request, status) => cluster.writeStatus(api, request, status),
    recordEvent: (pod, reason, message) => events.record(pod, reason, message),
    now,
    monotonic,
    random: Math.random,
  });
}

/** The calls of the election, the first answer to which is told: a replica that does not lead is ready, too. */
function announced(
  { read, ...calls }: Pick<ElectionPorts, 'read' | 'create' | 'update'>,
  answered: () => void,
): Pick<ElectionPorts, 'read' | 'create' | 'update'> {
  return {
    ...calls,
    read: async (signal) => {
      const lease = await read(signal);
      answered();
      return lease;
    },
  };
}

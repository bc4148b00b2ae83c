/**
 * The webhook as a program: finds out what it has to know, keeps it current, serves, and stops in order.
 * @module
 */
import { lookup } from 'node:dns/promises';
import type { WebhookConfig } from '../contract.ts';
import { KubernetesApi } from '../kubernetes/client.ts';
import { PodEvents, type PodReference } from '../kubernetes/events.ts';
import { podImage } from '../kubernetes/pod-image.ts';
import { AutocertError, messageOf } from '../lib/errors.ts';
import { eventLoopLateness } from '../lib/event-loop.ts';
import { FOLLOW_FILES_MS, FollowedFile } from '../lib/followed-file.ts';
import { serveHealth } from '../lib/health-server.ts';
import type { Log } from '../lib/log.ts';
import { repeat, sleep } from '../lib/loops.ts';
import { createMetrics } from '../lib/metrics.ts';
import { serverLog } from '../lib/server-log.ts';
import { aborted, stopSignal } from '../lib/stop-signal.ts';
import { parseDuration } from '../policy/duration.ts';
import type { Claim } from '../policy/judgement.ts';
import { ISSUED_REASON, issuedMessage } from '../step-ca/audit.ts';
import { caAvailability, certificateValidity, reasonLabel } from '../step-ca/certificate-metrics.ts';
import { caOpener, Issuer } from '../step-ca/issuer.ts';
import { keepIssuer } from '../step-ca/issuer-upkeep.ts';
import { splitPem } from '../x509/certificate.ts';
import { buildApp } from './app.ts';
import { type Capabilities, findCapabilities } from './capabilities.ts';
import { buildCertificateApp } from './certificate-app.ts';
import { createCertificateService } from './certificate-endpoint.ts';
import { configuredClients } from './client-certificates.ts';
import { readWebhookConfig } from './config.ts';
import { FailureReports } from './failure-reports.ts';
import { type ConnectionCut, listen, secureContext } from './http-server.ts';
import { type SidecarPatch, sidecarPatch } from './injection-patch.ts';
import { placeholderCertificate, type ServingPair } from './placeholder-certificate.ts';
import { RenewalInformation } from './renewal-info.ts';
import { ServiceAddresses } from './service-addresses.ts';
import { ServingCertificate } from './serving-certificate.ts';

/** What {@link startWebhook} is made of. */
export interface WebhookOptions {
  /** The configuration as it is now. */
  readonly config: () => WebhookConfig;
  readonly api: Pick<KubernetesApi, 'get' | 'create'>;
  readonly log: Log;
  /** Starts the end: not ready at once, closed after `lingerMs`. */
  readonly signal: AbortSignal;
  /** Name of the pod in which it runs. Absent: it runs in none, and the configuration names the agents' image. */
  readonly podName?: string | undefined;
  /** How long requests are still taken while the Service's endpoints are taken away. @default 3000 */
  readonly lingerMs?: number;
  /** How often the roots of the API server's certificate are looked at. @default 10000 */
  readonly followMs?: number;
}

/** A webhook that listens. */
export interface RunningWebhook {
  /** Of admission. */
  readonly port: number;
  /** Of the certificate endpoint. */
  readonly certificatePort: number;
  /** Of probes and metrics. */
  readonly healthPort: number;
  /** Resolves when it has stopped. */
  readonly stopped: Promise<void>;
}

/** How often each is looked at again, milliseconds. */
const EVERY = { cluster: 60_000, renewals: 15_000 } as const;
const SERVING_MS = 1_000;
const LINGER_MS = 3_000;
/** The API server waits five seconds for an admission, unless it is told otherwise. */
const LATE_MS = 1_000;
const LOOK_MS = 500;
/** Of the webhook's pod. */
const CONTAINER = 'autocert';

/** Runs the webhook with the configuration in `configFile`, which is followed, until SIGTERM or SIGINT. */
export async function runWebhook(configFile: string): Promise<void> {
  const log = serverLog('webhook');
  const signal = stopSignal();
  const config = new FollowedFile(
    configFile,
    (file) => readWebhookConfig(file, process.env.KUBERNETES_SERVICE_HOST),
    log,
  );
  const follow = async () => void config.refresh();
  const following = repeat(follow, { what: 'configuration', everyMs: FOLLOW_FILES_MS, log, signal });
  const options = {
    config: () => config.current,
    api: KubernetesApi.load(),
    podName: process.env.HOSTNAME,
    log,
    signal,
  };
  const webhook = await startWebhook(options);
  await Promise.all([webhook.stopped, following]);
}

/** Starts the webhook. It listens at once, and is ready when it has reached the API server and the CA. */
export async function startWebhook(options: WebhookOptions): Promise<RunningWebhook> {
  const { config, api, log, signal } = options;
  const metrics = createMetrics({ process: true });
  /** The serving certificate and its intermediates. */
  let chain: readonly string[] = [];
  const now = () => new Date();
  const monotonic = () => performance.now();
  const issuer = new Issuer({ open: caOpener(config, log), now, monotonic });
  const lifetimeMs = () => parseDuration(config().defaultDuration);
  const renewal = new RenewalInformation({ issuer, lifetimeMs, now });
  const podEvents = () => new PodEvents({ api, component: 'autocert', log, now, monotonic });
  // Apart, so that neither news of what went well nor what agents say takes the place of our own warnings.
  const [events, issuances, reported] = [podEvents(), podEvents(), podEvents()];
  const reports = new FailureReports({
    api,
    recordEvent: (pod, reason, message) => reported.record(pod, reason, message),
    monotonic,
    random: Math.random,
  });
  const addresses = new ServiceAddresses(() => [config().autocertUrl]);
  let capabilities: Capabilities | undefined;
  let apiProblem: string | undefined = 'not asked yet';
  let ownImage: string | undefined;
  let sidecar: { readonly of: readonly unknown[]; readonly patch: SidecarPatch } | undefined;

  /** Made anew only when what it is made of has changed: each admission asks for it. */
  const currentSidecar = (): SidecarPatch | undefined => {
    const { anchors } = issuer;
    if (anchors.length === 0) return undefined;
    const { agent, autocertUrl } = config();
    const image = agent.image ?? ownImage;
    if (image === undefined) return undefined;
    const hostAliases = addresses.aliases;
    const of = [agent, image, autocertUrl, anchors, hostAliases];
    if (!sidecar || of.some((part, index) => part !== sidecar?.of[index])) {
      sidecar = { of, patch: sidecarPatch({ agent: { ...agent, image }, autocertUrl, anchors, hostAliases }) };
    }
    return sidecar.patch;
  };
  const notReady = (): string | undefined => {
    if (signal.aborted) return 'stopping';
    if (!capabilities) return `waiting for the API server: ${apiProblem}`;
    if (issuer.anchors.length === 0) return `waiting for the root certificate: ${issuer.outage?.reason}`;
    if (!serving.isValid)
      return `waiting for the CA: no serving certificate: ${serving.problem ?? issuer.outage?.reason ?? 'not asked yet'}`;
    return undefined;
  };
  /** What is served; at first a certificate that nobody trusts. */
  let pair = placeholderCertificate(now());
  const tls = pair;
  const clients = configuredClients(config(), log);
  const serve = () => {
    app.server.setSecureContext(secureContext(pair, clients));
    certificateApp.server.setSecureContext(secureContext(pair));
  };
  const surroundings = { config, capabilities: () => capabilities, sidecar: currentSidecar };
  const cut = metrics.counter('connections_cut_total', 'Connections that were cut off.', ['port', 'reason']);
  const onCut = (reason: ConnectionCut) => cut.inc({ port: 'admission', reason });
  const app = buildApp({ ...surroundings, metrics, log, tls, clients, onCut, stopping: signal });
  const certificateApp = buildCertificateApp({
    certificates: createCertificateService(config, { api, issuer, renewal, monotonic }),
    renewal: (namespace) => renewal.for(namespace),
    onIssue: (claim, issuance) => {
      reports.recovered(claim.podUID);
      if (!config().issuanceEvents) return;
      issuances.record(podOf(claim), ISSUED_REASON, issuedMessage(issuance), 'Normal');
    },
    onRefusal: (claim, error) => events.record(podOf(claim), error.reason ?? reasonLabel(error.code), messageOf(error)),
    reports,
    metrics,
    log,
    tls,
    isBusy: isLate(signal),
    onCut: (reason) => cut.inc({ port: 'certificates', reason }),
    stopping: signal,
  });
  const serving = new ServingCertificate({
    issuer,
    names: () => config().servingNames,
    replaceBefore: () => renewal.replaceBefore(config().namespace),
    install: (next: ServingPair) => {
      pair = next;
      serve();
      chain = splitPem(pair.certificatePem);
    },
    now,
    random: Math.random,
    log,
  });
  reports.addGauges(metrics);
  caAvailability(metrics, () => issuer.outage === undefined);
  certificateValidity(metrics, () => {
    return { serving: chain.slice(0, 1), intermediate: chain.slice(1), root: issuer.roots };
  });

  const { host } = config();
  const port = await listen(app, config().port, host);
  const certificatePort = await listen(certificateApp, config().certificatePort, host);
  const health = await serveHealth(config().healthPort, { notReady, metrics }, host);
  log.info({ port, certificatePort, healthPort: health.port, delivery: config().delivery }, 'listening');

  const keep = (what: string | undefined, everyMs: number, task: () => Promise<void>) =>
    repeat(task, { ...(what !== undefined && { what }), everyMs, log, signal });
  const askApi = async () => {
    if (config().agent.image === undefined) ownImage ??= await imageOfThisPod(options);
    capabilities = await findCapabilities(api);
  };
  const tasks = [
    repeat(askApi, {
      what: 'what the API server can do is not known',
      everyMs: EVERY.cluster,
      log,
      signal,
      onOutcome: (problem) => {
        apiProblem = problem;
      },
    }),
    keepIssuer(issuer, { log, signal }),
    // It reports its failures itself.
    keep(undefined, SERVING_MS, () => serving.keep()),
    keep(undefined, options.followMs ?? FOLLOW_FILES_MS, async () => {
      if (clients?.refresh()) serve();
    }),
    keep('what is to be renewed cannot be read', EVERY.renewals, () => renewal.refresh(api, config().namespace)),
    keep('Services cannot be resolved', EVERY.cluster, () =>
      addresses.refresh(async (name) => (await lookup(name)).address, log),
    ),
  ];
  const stopped = aborted(signal).then(async () => {
    log.info({}, 'stopping');
    await Promise.all([sleep(options.lingerMs ?? LINGER_MS, new AbortController().signal), ...tasks]);
    await Promise.all([app.close(), certificateApp.close(), health.close()]);
  });
  return { port, certificatePort, healthPort: health.port, stopped };
}

/** Agents are of the image of the webhook that injects them, so that whoever changes one image has changed both. */
async function imageOfThisPod({ api, config, podName }: WebhookOptions): Promise<string> {
  const image = podName && (await podImage(api, config().namespace, podName, CONTAINER));
  if (image) return image;
  const what = `which image the agents have is not known: there is no pod ${podName ?? ''} with a container ${CONTAINER} in namespace ${config().namespace}`;
  throw new AutocertError('UNAVAILABLE', `${what}; agent.image in the configuration names one`);
}

/** Whether the event loop was late lately by so much that admission needs all of it. */
function isLate(signal: AbortSignal): () => boolean {
  const lateness = eventLoopLateness();
  let late = 0;
  const look = () => {
    late = lateness();
  };
  const timer = setInterval(look, LOOK_MS).unref();
  signal.addEventListener('abort', () => clearInterval(timer), { once: true });
  return () => late > LATE_MS;
}

function podOf({ namespace, podName, podUID }: Claim): PodReference {
  return { namespace, name: podName, uid: podUID };
}

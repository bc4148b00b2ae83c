/**
 * The HTTP interface for agents: certificates, and what the control plane has to say about renewing them.
 * @module
 */
import { createHash } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { CertificatePath, type RenewalInfo } from '../contract.ts';
import { Allowance, Allowances } from '../lib/allowance.ts';
import { AutocertError, messageOf } from '../lib/errors.ts';
import { type Log, sparingLog } from '../lib/log.ts';
import type { Metrics } from '../lib/metrics.ts';
import { type Share, Shares } from '../lib/shares.ts';
import { isRecord } from '../lib/validator.ts';
import type { Claim } from '../policy/judgement.ts';
import { AUDIT_MESSAGE, auditFields, type Issuance } from '../step-ca/audit.ts';
import { certificateCounters } from '../step-ca/certificate-metrics.ts';
import { type Attestation, readAttestation } from './attestation.ts';
import { type CertificateService, REFUSALS } from './certificate-endpoint.ts';
import type { FailureReports } from './failure-reports.ts';
import { type HttpApp, type HttpAppOptions, type HttpReply, httpApp, sendError } from './http-server.ts';

/** What the app is made of. */
export interface CertificateAppDeps extends Pick<HttpAppOptions, 'tls' | 'stopping' | 'timeouts' | 'onCut'> {
  readonly certificates: CertificateService;
  readonly renewal: (namespace: string) => RenewalInfo;
  /** Learns which pod got what. */
  readonly onIssue: (claim: Claim, issuance: Issuance) => void;
  /** Tells the pod's owner why it got no certificate. */
  readonly onRefusal: (claim: Claim, error: AutocertError) => void;
  readonly reports: Pick<FailureReports, 'take'>;
  readonly metrics: Metrics;
  readonly log: Log;
  /** Whether admission needs the time of this process more than issuance does. @default - never */
  readonly isBusy?: () => boolean;
  /** Requests under way beyond which more are sent away; see {@link Shares}. @default 512 */
  readonly maxUnderWay?: number;
  /** @default - those of this machine */
  readonly now?: () => Date;
  /** Milliseconds. */
  readonly monotonic?: () => number;
}

const BODIES = { limit: 16 * 2 ** 10, inFlight: 4 * 2 ** 20 } as const;
/**
 * An agent opens one connection for each request. Some networks show all pods of a node by the node's address: as many as
 * have room on it may start together.
 */
const CONNECTIONS = { total: 1024, byPeer: 512, opened: { perSecond: 200, burst: 1000 } } as const;
const MAX_UNDER_WAY = 512;
/** TokenReviews of one address that come to nothing: agents' tokens are good, but for those of pods that have just ended. */
const FAILURES = { perSecond: 1, burst: 20 } as const;
/** Lines about requests that got no certificate: the metrics count them all. */
const LINES = { perSecond: 20, burst: 500 } as const;
/** Questions of one address that need no token: an agent asks every four minutes. */
const QUESTIONS = { perSecond: 20, burst: 200 } as const;
const ASK_AGAIN_MS = 10_000;
/** Longest name of a namespace (RFC 1123 label). */
const NAMESPACE = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/** Makes the app. */
export function buildCertificateApp(deps: CertificateAppDeps): HttpApp {
  const app = httpApp({ ...deps, bodies: BODIES, connections: CONNECTIONS });
  addCertificates(app, deps);
  addRenewalInfo(app, deps);
  addReports(app, deps);
  return app;
}

function addCertificates(app: HttpApp, deps: CertificateAppDeps): void {
  const { metrics, log, certificates, onIssue, onRefusal, isBusy = () => false } = deps;
  const { maxUnderWay = MAX_UNDER_WAY, now = () => new Date(), monotonic = () => performance.now() } = deps;
  const counters = certificateCounters(metrics, 'sidecar');
  const help = 'Time to answer a request for a certificate.';
  const seconds = metrics.seconds('certificate_request_duration_seconds', help, ['result']);
  const sparing = sparingLog(log, new Allowance(monotonic, LINES));
  const places = new Shares(maxUnderWay);
  const failures = new Allowances(monotonic, FAILURES);
  /** A place for one request; a flood of one address or one namespace leaves room for others. */
  const placeFor = ({ ip, body }: FastifyRequest, { namespace }: Attestation): Share => {
    const place = isBusy() || !failures.isLeft(ip) ? undefined : places.take([ip, `namespace ${namespace}`]);
    if (place) return place;
    const retryAfterMs = certificates.comeBackAfter(isRecord(body) && body.starting === true);
    throw new AutocertError('UNAVAILABLE', 'too many requests are under way already; come back later', {
      status: 429,
      retryAfterMs,
    });
  };
  app.post(CertificatePath.certificate, async (request, reply) => {
    const started = performance.now();
    const took = () => performance.now() - started;
    let claim: Claim | undefined;
    let result: 'issued' | 'refused' | 'failed' = 'failed';
    let place: Share | undefined;
    try {
      const attestation = readAttestation(bearer(request), now());
      place = placeFor(request, attestation);
      const { answer, ...issuance } = await certificates.issue(attestation, request.body, (proven) => {
        claim = proven;
      });
      result = 'issued';
      counters.issued(issuance.purpose);
      if (claim) {
        log.info(auditFields(claim, issuance, 'sidecar', took()), AUDIT_MESSAGE);
        onIssue(claim, issuance);
      }
      return reply.header('cache-control', 'no-store').send(answer);
    } catch (error) {
      const known = error instanceof AutocertError ? error : undefined;
      const code = known?.code ?? 'error';
      const reason = (known?.status === 429 ? 'Busy' : known?.reason) ?? code;
      const refused = known !== undefined && REFUSALS.includes(known.code);
      if (refused) result = 'refused';
      if (place && !claim && known?.code === 'UNAUTHENTICATED') failures.take(request.ip);
      counters[refused ? 'refused' : 'failed'](reason);
      sparing.warn({ ...who(claim), result: code, reason: messageOf(error) }, 'no certificate');
      // The owner of a pod that is gone can do nothing about it.
      if (claim && refused && known.code !== 'GONE') onRefusal(claim, known);
      return sendError(reply, error);
    } finally {
      place?.release();
      seconds.observe({ result }, took() / 1000);
    }
  });
}

function addReports(app: HttpApp, { reports, log, now = () => new Date() }: CertificateAppDeps): void {
  app.post(CertificatePath.report, async (request, reply) => {
    try {
      const { claim, report } = await reports.take(readAttestation(bearer(request), now()), request.body, request.ip);
      log.warn({ ...report, ...who(claim) }, 'an agent reports that it fails');
      return reply.code(204).send();
    } catch (error) {
      return sendError(reply, error);
    }
  });
}

function who(claim: Claim | undefined) {
  return claim && { namespace: claim.namespace, pod: claim.podName };
}

function addRenewalInfo(app: HttpApp, { renewal, monotonic = () => performance.now() }: CertificateAppDeps): void {
  const questions = new Allowances(monotonic, QUESTIONS);
  app.get(CertificatePath.renewalInfo, (request, reply) => {
    const { namespace } = request.query as { namespace?: unknown };
    if (typeof namespace !== 'string' || !NAMESPACE.test(namespace)) {
      sendError(reply, new AutocertError('INVALID_INPUT', 'namespace must be the name of the pod’s namespace'));
      return;
    }
    try {
      if (!questions.take(request.ip))
        throw new AutocertError('UNAVAILABLE', 'too many questions', { status: 429, retryAfterMs: ASK_AGAIN_MS });
      sendCacheable(reply, renewal(namespace), request.headers['if-none-match']);
    } catch (error) {
      sendError(reply, error);
    }
  });
}

/** The same for every pod of a namespace, for a while (RFC 9111). */
function sendCacheable(reply: HttpReply, info: RenewalInfo, known: string | undefined): void {
  const body = JSON.stringify(info);
  const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;
  reply.header('etag', etag).header('cache-control', `max-age=${Math.floor(info.askAgainSeconds / 4)}`);
  if (known === etag) reply.code(304).send();
  else reply.type('application/json').send(body);
}

function bearer({ headers }: FastifyRequest): string {
  const [, token = ''] = /^Bearer ([\w.~+/=-]+)$/i.exec(headers.authorization ?? '') ?? [];
  return token;
}

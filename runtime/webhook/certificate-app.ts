/**
 * The HTTP interface for agents: certificates, and what the control plane has to say about renewing them.
 * @module
 */
import { createHash } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { CertificatePath, type RenewalInfo } from '../contract.ts';
import { AutocertError, messageOf } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import type { Metrics } from '../lib/metrics.ts';
import { Secret } from '../lib/secret.ts';
import { isRecord } from '../lib/validator.ts';
import type { Claim } from '../policy/judgement.ts';
import { AUDIT_MESSAGE, auditFields, type Issuance } from '../step-ca/audit.ts';
import { certificateCounters } from '../step-ca/certificate-metrics.ts';
import { type CertificateService, REFUSALS } from './certificate-endpoint.ts';
import type { FailureReports } from './failure-reports.ts';
import { type HttpApp, type HttpAppOptions, type HttpReply, httpApp, sendError } from './http-server.ts';

/** What the app is made of. */
export interface CertificateAppDeps extends Pick<HttpAppOptions, 'tls' | 'stopping'> {
  readonly certificates: CertificateService;
  readonly renewal: (namespace: string) => RenewalInfo;
  /** Learns which pod got what. */
  readonly onIssue: (claim: Claim, issuance: Issuance) => void;
  /** Tells the pod's owner why it got no certificate. */
  readonly onRefusal: (claim: Claim, error: AutocertError) => void;
  readonly reports: Pick<FailureReports, 'take'>;
  readonly metrics: Metrics;
  readonly log: Log;
  /** Requests under way beyond which more are sent away. @default 256 */
  readonly maxUnderWay?: number;
}

const MAX_BODY = 16 * 2 ** 10;
const MAX_UNDER_WAY = 256;
/** Longest name of a namespace (RFC 1123 label). */
const NAMESPACE = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/** Makes the app. */
export function buildCertificateApp(deps: CertificateAppDeps): HttpApp {
  const app = httpApp({ ...deps, bodyLimit: MAX_BODY });
  addCertificates(app, deps);
  addRenewalInfo(app, deps);
  addReports(app, deps);
  return app;
}

function addCertificates(app: HttpApp, deps: CertificateAppDeps): void {
  const { metrics, log, certificates, onIssue, onRefusal, maxUnderWay = MAX_UNDER_WAY } = deps;
  const counters = certificateCounters(metrics, 'sidecar');
  const help = 'Time to answer a request for a certificate.';
  const seconds = metrics.seconds('certificate_request_duration_seconds', help, ['result']);
  let underWay = 0;
  const shed = (body: unknown) => {
    const starting = isRecord(body) && body.starting === true;
    const retryAfterMs = certificates.comeBackAfter(starting);
    const message = `${underWay} requests are under way already; come back later`;
    return new AutocertError('UNAVAILABLE', message, { status: 429, retryAfterMs });
  };
  app.post(CertificatePath.certificate, async (request, reply) => {
    const started = performance.now();
    const took = () => performance.now() - started;
    let claim: Claim | undefined;
    let result: 'issued' | 'refused' | 'failed' = 'failed';
    underWay += 1;
    try {
      if (underWay > maxUnderWay) throw shed(request.body);
      const { answer, ...issuance } = await certificates.issue(bearer(request), request.body, (proven) => {
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
      counters[refused ? 'refused' : 'failed'](reason);
      log.warn({ ...who(claim), result: code, reason: messageOf(error) }, 'no certificate');
      // The owner of a pod that is gone can do nothing about it.
      if (claim && refused && known.code !== 'GONE') onRefusal(claim, known);
      return sendError(reply, error);
    } finally {
      underWay -= 1;
      seconds.observe({ result }, took() / 1000);
    }
  });
}

function addReports(app: HttpApp, { reports, log }: CertificateAppDeps): void {
  app.post(CertificatePath.report, async (request, reply) => {
    try {
      const { claim, report } = await reports.take(bearer(request), request.body, request.ip);
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

function addRenewalInfo(app: HttpApp, { renewal }: CertificateAppDeps): void {
  app.get(CertificatePath.renewalInfo, (request, reply) => {
    const { namespace } = request.query as { namespace?: unknown };
    if (typeof namespace !== 'string' || !NAMESPACE.test(namespace)) {
      sendError(reply, new AutocertError('INVALID_INPUT', 'namespace must be the name of the pod’s namespace'));
      return;
    }
    try {
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

function bearer({ headers }: FastifyRequest): Secret {
  const [, token = ''] = /^Bearer ([\w.~+/=-]+)$/i.exec(headers.authorization ?? '') ?? [];
  return new Secret(token);
}

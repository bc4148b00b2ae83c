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
import type { CertificateService } from './certificate-endpoint.ts';
import { type HttpApp, type HttpAppOptions, type HttpReply, httpApp, sendError } from './http-server.ts';

/** What the app is made of. */
export interface CertificateAppDeps extends Pick<HttpAppOptions, 'tls' | 'stopping'> {
  readonly certificates: CertificateService;
  readonly renewal: (namespace: string) => RenewalInfo;
  /** Tells the pod's owner why it got no certificate. */
  readonly onRefusal: (claim: Claim, error: AutocertError) => void;
  readonly metrics: Metrics;
  readonly log: Log;
  /** Requests under way beyond which more are sent away. @default 256 */
  readonly maxUnderWay?: number;
}

const MAX_BODY = 16 * 2 ** 10;
const MAX_UNDER_WAY = 256;
/** Longest name of a namespace (RFC 1123 label). */
const NAMESPACE = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
/** Outcomes that the pod's owner can do something about. */
const TOLD: readonly string[] = ['FORBIDDEN', 'UNAUTHENTICATED', 'CA_REJECTED', 'INVALID_INPUT'];

/** Makes the app. */
export function buildCertificateApp(deps: CertificateAppDeps): HttpApp {
  const app = httpApp({ ...deps, bodyLimit: MAX_BODY });
  addCertificates(app, deps);
  addRenewalInfo(app, deps);
  return app;
}

function addCertificates(app: HttpApp, deps: CertificateAppDeps): void {
  const { metrics, log, certificates, onRefusal, maxUnderWay = MAX_UNDER_WAY } = deps;
  const total = metrics.counter('certificate_requests_total', 'Requests for a certificate by result.', ['result']);
  const seconds = metrics.seconds('certificate_request_seconds', 'Time to answer a request for a certificate.', []);
  let underWay = 0;
  const shed = (body: unknown) => {
    const starting = isRecord(body) && body.starting === true;
    const retryAfterMs = certificates.comeBackAfter(starting);
    const message = `${underWay} requests are under way already; come back later`;
    return new AutocertError('UNAVAILABLE', message, { status: 429, retryAfterMs });
  };
  app.post(CertificatePath.certificate, async (request, reply) => {
    const started = performance.now();
    let claim: Claim | undefined;
    const who = () => claim && { namespace: claim.namespace, pod: claim.podName };
    underWay += 1;
    try {
      if (underWay > maxUnderWay) throw shed(request.body);
      const issued = await certificates.issue(bearer(request), request.body, (proven) => {
        claim = proven;
      });
      const { answer, ...fields } = issued;
      total.inc({ result: 'issued' });
      log.info({ ...who(), ...fields, result: 'issued' }, 'certificate');
      return reply.header('cache-control', 'no-store').send(answer);
    } catch (error) {
      const known = error instanceof AutocertError ? error : undefined;
      const result = known?.code ?? 'error';
      total.inc({ result });
      log.warn({ ...who(), result, reason: messageOf(error) }, 'certificate');
      if (claim && known && TOLD.includes(known.code)) onRefusal(claim, known);
      return sendError(reply, error);
    } finally {
      underWay -= 1;
      seconds.observe((performance.now() - started) / 1000);
    }
  });
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

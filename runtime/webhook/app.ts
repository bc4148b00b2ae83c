/**
 * The webhook's HTTP interface, apart from the listener, so that tests ask it without a port. The one file of this part
 * that knows fastify.
 * @module
 */
import type { Server } from 'node:https';
import Fastify, {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type RouteGenericInterface,
} from 'fastify';
import { WebhookPath } from '../contract.ts';
import { AutocertError, type ErrorCode, messageOf } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import type { Metrics } from '../lib/metrics.ts';
import { Secret } from '../lib/secret.ts';
import { type AdmissionSurroundings, admit } from './admission.ts';
import type { ServingPair } from './placeholder-certificate.ts';
import { type Caller, grantBody, type TokenEndpoint } from './token-endpoint.ts';

/** What the app is made of. */
export interface WebhookDeps extends AdmissionSurroundings {
  readonly tokens: TokenEndpoint;
  /** Why the webhook cannot do its work now; `undefined`: it can. */
  readonly unready: () => string | undefined;
  readonly metrics: Metrics;
  readonly log: Log;
  /** What to serve TLS with at first. @default - plain HTTP, for tests */
  readonly tls?: ServingPair;
  /** Token requests under way beyond which more are sent away for a second. @default 256 */
  readonly maxTokenRequests?: number;
}

/** Largest bodies. The API server's own limit for an object is 3 MiB. */
const MAX_REVIEW = 3 * 2 ** 20;
const MAX_TOKEN_REQUEST = 16 * 2 ** 10;
/** A request that is not complete after this long is cut off; kept connections outlive the API server's own 30 s. */
const REQUEST_TIMEOUT_MS = 30_000;
const KEEP_ALIVE_MS = 90_000;
const MAX_TOKEN_REQUESTS = 256;

const STATUS: Readonly<Partial<Record<ErrorCode, number>>> = {
  INVALID_INPUT: 400,
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  GONE: 410,
  UNAVAILABLE: 503,
};

/** The webhook's app, on an HTTPS server unless `tls` is left out. */
export type WebhookApp = FastifyInstance<Server>;

/** Makes the app. */
export function buildApp(deps: WebhookDeps): WebhookApp {
  const { tls } = deps;
  const app = Fastify({
    https: tls ? { cert: tls.certificatePem, key: tls.keyPem.reveal(), minVersion: 'TLSv1.2' } : null,
    bodyLimit: MAX_TOKEN_REQUEST,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, body, done) => {
    try {
      done(null, body === '' ? undefined : JSON.parse(String(body)));
    } catch (error) {
      done(new AutocertError('INVALID_INPUT', `the body is not JSON: ${messageOf(error).slice(0, 200)}`));
    }
  });
  app.setErrorHandler((error, request, reply) => sendError(reply, fromFastify(error, request)));
  app.setNotFoundHandler((request, reply) =>
    reply
      .code(404)
      .send({ error: { code: 'INVALID_INPUT', message: `no ${request.method} ${request.url.slice(0, 200)} here` } }),
  );
  addAdmission(app, deps);
  addTokens(app, deps);
  addProbes(app, deps);
  return app;
}

function addAdmission(app: WebhookApp, { metrics, log, ...surroundings }: WebhookDeps): void {
  const total = metrics.counter('admissions_total', 'Admissions by result.', ['result']);
  const seconds = metrics.seconds('admission_seconds', 'Time to decide on a pod and make its patch.', []);
  app.post(WebhookPath.mutate, { bodyLimit: MAX_REVIEW }, (request, reply) => {
    const started = performance.now();
    try {
      const { body, result, fields } = admit(request.body, surroundings);
      seconds.observe((performance.now() - started) / 1000);
      total.inc({ result });
      log[result === 'denied' || result === 'invalid' ? 'warn' : 'info']({ ...fields, result }, 'admission');
      reply.type('application/json').send(body);
    } catch (error) {
      total.inc({ result: 'error' });
      log.error({ result: 'error', reason: messageOf(error) }, 'admission');
      sendError(reply, error);
    }
  });
}

function addTokens(
  app: WebhookApp,
  { metrics, log, tokens, maxTokenRequests = MAX_TOKEN_REQUESTS }: WebhookDeps,
): void {
  const total = metrics.counter('token_requests_total', 'Requests for a one-time token by result.', ['result']);
  const seconds = metrics.seconds('token_request_seconds', 'Time to answer a request for a one-time token.', []);
  let underWay = 0;
  app.post(WebhookPath.token, async (request, reply) => {
    if (underWay >= maxTokenRequests) {
      total.inc({ result: 'UNAVAILABLE' });
      const message = `${underWay} requests are under way already; try again in a second`;
      return reply
        .code(429)
        .header('retry-after', '1')
        .send({ error: { code: 'UNAVAILABLE', message } });
    }
    const started = performance.now();
    let caller: Caller | undefined;
    underWay += 1;
    try {
      const grant = await tokens(bearer(request), request.body, (known) => {
        caller = known;
      });
      total.inc({ result: 'granted' });
      log.info({ ...caller, names: grant.spec.sans, result: 'granted' }, 'token');
      return reply.send(grantBody(grant));
    } catch (error) {
      const result = error instanceof AutocertError ? error.code : 'error';
      total.inc({ result });
      log.warn({ ...caller, result, reason: messageOf(error) }, 'token');
      return sendError(reply, error);
    } finally {
      underWay -= 1;
      seconds.observe((performance.now() - started) / 1000);
    }
  });
}

function addProbes(app: WebhookApp, { metrics, unready }: WebhookDeps): void {
  app.get(WebhookPath.healthz, (_request, reply) => {
    reply.type('text/plain').send('ok\n');
  });
  app.get(WebhookPath.readyz, (_request, reply) => {
    const reason = unready();
    reply
      .code(reason === undefined ? 200 : 503)
      .type('text/plain')
      .send(`${reason ?? 'ok'}\n`);
  });
  app.get(WebhookPath.metrics, async (_request, reply) => reply.type(metrics.contentType).send(await metrics.render()));
}

function bearer({ headers }: FastifyRequest): Secret {
  const [, token = ''] = /^Bearer ([\w.~+/=-]+)$/i.exec(headers.authorization ?? '') ?? [];
  return new Secret(token);
}

/** Errors of fastify itself: too large, the wrong media type, a broken body. */
function fromFastify(error: unknown, { headers }: FastifyRequest): unknown {
  const { code, statusCode } = error as { code?: unknown; statusCode?: unknown };
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return refused(413, 'the body is larger than this path takes');
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') {
    const given = JSON.stringify(headers['content-type']?.slice(0, 100) ?? '');
    return refused(415, `content-type must be application/json, got ${given}`);
  }
  return typeof statusCode === 'number' && statusCode < 500 ? refused(statusCode, messageOf(error)) : error;
}

type Reply = FastifyReply<RouteGenericInterface, Server>;

class Refused extends AutocertError {
  readonly status: number;

  constructor(status: number, message: string) {
    super('INVALID_INPUT', message);
    this.status = status;
  }
}

function refused(status: number, message: string): Refused {
  return new Refused(status, message);
}

function sendError(reply: Reply, error: unknown): Reply {
  const known = error instanceof AutocertError;
  const code = known ? error.code : 'UNAVAILABLE';
  const status = error instanceof Refused ? error.status : known ? (STATUS[code] ?? 503) : 500;
  if (status >= 500) reply.header('retry-after', '1');
  return reply.code(status).send({ error: { code, message: known ? messageOf(error) : 'internal error' } });
}

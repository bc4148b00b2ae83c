/**
 * What both HTTPS servers of the webhook share: bounds, JSON, errors. The one file of this part that makes fastify apps.
 * @module
 */
import type { Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import Fastify, { type FastifyInstance, type FastifyReply, type RouteGenericInterface } from 'fastify';
import type { ErrorAnswer } from '../contract.ts';
import { AutocertError, type ErrorCode, MAX_MESSAGE, messageOf } from '../lib/errors.ts';
import type { ServingPair } from './placeholder-certificate.ts';

/** An app on an HTTPS server (plain HTTP without a certificate, for tests). */
export type HttpApp = FastifyInstance<Server>;
/** Its replies. */
export type HttpReply = FastifyReply<RouteGenericInterface, Server>;

/** Settings of {@link httpApp}. */
export interface HttpAppOptions {
  /** Largest body, bytes. */
  readonly bodyLimit: number;
  /** What to serve TLS with at first. */
  readonly tls?: ServingPair | undefined;
  /** Aborted when the program is to end: connections are closed after their next answer. */
  readonly stopping?: AbortSignal | undefined;
}

/** A request that is not complete after this long is cut off; kept connections outlive the API server's own 30 s. */
const REQUEST_TIMEOUT_MS = 30_000;
const KEEP_ALIVE_MS = 90_000;

const STATUS: Readonly<Partial<Record<ErrorCode, number>>> = {
  INVALID_INPUT: 400,
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  GONE: 410,
  CA_REJECTED: 502,
  UNAVAILABLE: 503,
};

/** Makes an app without routes. */
export function httpApp({ bodyLimit, tls, stopping }: HttpAppOptions): HttpApp {
  const app: HttpApp = Fastify({
    https: tls ? secureContext(tls) : null,
    bodyLimit,
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
  app.setErrorHandler((error, { headers }, reply) => sendError(reply, fromFastify(error, headers['content-type'])));
  app.setNotFoundHandler(({ method, url }, reply) =>
    sendError(reply, new AutocertError('INVALID_INPUT', `no ${method} ${url.slice(0, 200)} here`, { status: 404 })),
  );
  // A client that keeps its connection to a server that ends would lose a request.
  if (stopping) {
    app.addHook('onSend', async (_request, reply) => {
      if (stopping.aborted) reply.header('connection', 'close');
    });
  }
  return app;
}

/** Options of TLS for a certificate. */
export function secureContext({ certificatePem, keyPem }: ServingPair) {
  return { cert: certificatePem, key: keyPem.reveal(), minVersion: 'TLSv1.2' } as const;
}

/** Listens on all addresses, on a machine without IPv6 as well. Returns the port. */
export async function listen(app: HttpApp, port: number, host = '::'): Promise<number> {
  try {
    await app.listen({ port, host });
  } catch (error) {
    if (host !== '::' || (error as NodeJS.ErrnoException).code !== 'EAFNOSUPPORT') throw error;
    await app.listen({ port, host: '0.0.0.0' });
  }
  return (app.server.address() as AddressInfo).port;
}

/** Answers with an error: its code, its words and when to come again. Its causes and what is not ours stay inside. */
export function sendError(reply: HttpReply, error: unknown): HttpReply {
  const known = error instanceof AutocertError ? error : undefined;
  const code = known?.code ?? 'UNAVAILABLE';
  const status = known ? ownStatus(known) : 500;
  if (status >= 500 || known?.retryAfterMs !== undefined) {
    reply.header('retry-after', String(Math.max(1, Math.ceil((known?.retryAfterMs ?? 1000) / 1000))));
  }
  const message = known?.message.slice(0, MAX_MESSAGE) ?? 'internal error';
  return reply.code(status).send({ error: { code, message } } satisfies ErrorAnswer);
}

/** Statuses that this server gives by itself stand in the error; those of our peers do not concern the caller. */
function ownStatus({ code, status }: AutocertError): number {
  const isOwn = (code === 'INVALID_INPUT' && status !== undefined) || status === 429;
  return isOwn && status !== undefined ? status : (STATUS[code] ?? 503);
}

/** Errors of fastify itself: too large, the wrong media type, a broken body. */
function fromFastify(error: unknown, contentType: string | undefined): unknown {
  const { code, statusCode } = error as { code?: unknown; statusCode?: unknown };
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return refused(413, 'the body is larger than this path takes');
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') {
    const given = JSON.stringify(contentType?.slice(0, 100) ?? '');
    return refused(415, `content-type must be application/json, got ${given}`);
  }
  return typeof statusCode === 'number' && statusCode < 500 ? refused(statusCode, messageOf(error)) : error;
}

function refused(status: number, message: string): AutocertError {
  return new AutocertError('INVALID_INPUT', message, { status });
}

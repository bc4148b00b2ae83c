/**
 * What both HTTPS servers of the webhook share: bounds, JSON, errors. The one file of this part that makes fastify apps.
 * @module
 */
import type { Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import Fastify, {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type RouteGenericInterface,
} from 'fastify';
import type { ErrorAnswer } from '../contract.ts';
import { boundConnections, type ConnectionBounds, type CutReason, intercept } from '../lib/connections.ts';
import { AutocertError, type ErrorCode, MAX_MESSAGE, messageOf } from '../lib/errors.ts';
import { Shares } from '../lib/shares.ts';
import { readJsonBody } from './body.ts';
import { type Clients, isAccepted } from './client-certificates.ts';
import type { ServingPair } from './placeholder-certificate.ts';

/** An app on an HTTPS server (plain HTTP without a certificate, for tests). */
export type HttpApp = FastifyInstance<Server>;
/** Its replies. */
export type HttpReply = FastifyReply<RouteGenericInterface, Server>;

/** Why a connection was cut off: by a bound, or since handshake or request took too long. */
export type ConnectionCut = CutReason | 'handshake' | 'request';

/** Settings of {@link httpApp}. */
export interface HttpAppOptions {
  /** Largest body, and all bodies that are being read, bytes. */
  readonly bodies: { readonly limit: number; readonly inFlight: number };
  readonly connections: ConnectionBounds;
  /** Told of each connection that is cut off. */
  readonly onCut?: ((reason: ConnectionCut) => void) | undefined;
  /** What to serve TLS with at first. */
  readonly tls?: ServingPair | undefined;
  /** Who may connect; absent: everybody. */
  readonly clients?: Clients | undefined;
  /** Aborted when the program is to end: connections are closed after their next answer. */
  readonly stopping?: AbortSignal | undefined;
  /** Milliseconds; for tests. */
  readonly timeouts?: Partial<typeof TIMEOUTS> | undefined;
}

/**
 * A request is sent in one go, by peers that are near: what is not there after these times, milliseconds, is cut off. Kept
 * connections outlive the API server's own 30 s.
 */
const TIMEOUTS = { handshake: 5_000, headers: 5_000, request: 10_000, idle: 90_000 };
/** An answer that its reader does not take, milliseconds. */
const STALLED_MS = 60_000;
/** After so many a kept connection is closed, so that clients come to new replicas, too. */
const REQUESTS_PER_CONNECTION = 10_000;
/** A service-account token has up to 8 KiB. */
const HEADER_BYTES = 12 * 2 ** 10;
const HEADERS = 64;

const STATUS: Readonly<Partial<Record<ErrorCode, number>>> = {
  INVALID_INPUT: 400,
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  GONE: 410,
  CA_REJECTED: 502,
  UNAVAILABLE: 503,
};

/** Makes an app without routes. */
export function httpApp(options: HttpAppOptions): HttpApp {
  const { tls, clients, stopping, onCut } = options;
  const timeouts = { ...TIMEOUTS, ...options.timeouts };
  const limits = { maxHeaderSize: HEADER_BYTES, headersTimeout: timeouts.headers, connectionsCheckingInterval: 500 };
  const handshake = {
    handshakeTimeout: timeouts.handshake,
    ...(clients && { requestCert: true, rejectUnauthorized: true }),
  };
  const app: HttpApp = Fastify({
    ...(tls ? { https: { ...limits, ...handshake, ...secureContext(tls, clients) } } : { https: null, http: limits }),
    bodyLimit: options.bodies.limit,
    requestTimeout: timeouts.request,
    connectionTimeout: STALLED_MS,
    keepAliveTimeout: timeouts.idle,
    maxRequestsPerSocket: REQUESTS_PER_CONNECTION,
  });
  app.server.maxHeadersCount = HEADERS;
  if (clients) intercept<TLSSocket>(app.server, 'secureConnection', (socket) => isAccepted(socket, clients));
  boundConnections(app.server, options.connections, onCut);
  if (onCut) tellOfSlow(app.server, onCut);
  app.removeAllContentTypeParsers();
  const bodies = { limit: options.bodies.limit, inFlight: new Shares(options.bodies.inFlight) };
  app.addContentTypeParser('application/json', (request: FastifyRequest) => readJsonBody(request.raw, bodies));
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

const TOO_SLOW: Readonly<Record<string, ConnectionCut>> = {
  ERR_TLS_HANDSHAKE_TIMEOUT: 'handshake',
  ERR_HTTP_REQUEST_TIMEOUT: 'request',
};

function tellOfSlow(server: Server, onCut: (reason: ConnectionCut) => void): void {
  // Of handshakes, too: a server of HTTPS tells its clients' errors once more.
  server.on('clientError', ({ code = '' }: NodeJS.ErrnoException) => {
    const reason = TOO_SLOW[code];
    if (reason !== undefined) onCut(reason);
  });
}

/** Options of TLS for a certificate, and for the clients' own. */
export function secureContext({ certificatePem, keyPem }: ServingPair, clients?: Clients) {
  const ca = clients && { ca: clients.roots() };
  return { cert: certificatePem, key: keyPem.reveal(), minVersion: 'TLSv1.2', ...ca } as const;
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
  // The rest of what is too large is not waited for.
  if (status === 413) reply.header('connection', 'close');
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

/** Errors of fastify itself, such as the wrong media type. */
function fromFastify(error: unknown, contentType: string | undefined): unknown {
  const { code, statusCode } = error as { code?: unknown; statusCode?: unknown };
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') {
    const given = JSON.stringify(contentType?.slice(0, 100) ?? '');
    return refused(415, `content-type must be application/json, got ${given}`);
  }
  return typeof statusCode === 'number' && statusCode < 500 ? refused(statusCode, messageOf(error)) : error;
}

function refused(status: number, message: string): AutocertError {
  return new AutocertError('INVALID_INPUT', message, { status });
}

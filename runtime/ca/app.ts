/**
 * step-ca's HTTP protocol, as far as `step` and the agent use it; each path with and without `/1.0`.
 * @module
 */
import type { X509Certificate } from 'node:crypto';
import type { ServerOptions } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import { fingerprintOf, summaryOf } from '../x509/certificate.ts';
import { AutocertError, messageOf } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import type { JwkProvisioner } from '../step-ca/one-time-token.ts';
import type { Authority } from './authority.ts';
import { badRequest, Refusal } from './refusal.ts';

/** What the routes need. */
export interface AppOptions {
  readonly authority: Authority;
  readonly roots: readonly string[];
  readonly federatedRoots: readonly string[];
  readonly intermediatePem: string;
  readonly provisioners: readonly JwkProvisioner[];
  readonly log: Log;
  readonly tls: ServerOptions;
}

type Body = Readonly<Record<string, unknown>>;

/** A certificate request and a token have 2 kB together. */
const BODY_LIMIT = 65_536;
const DEFAULT_PAGE = 20;
const MAX_PAGE = 100;
const MAX_REASON_CODE = 10;

/** The app; whoever calls it listens. */
export function buildApp(options: AppOptions): FastifyInstance {
  const app = fastify({ https: options.tls, bodyLimit: BODY_LIMIT }) as unknown as FastifyInstance;
  // Clients of step-ca send no, any, or JSON's content type, and nothing at all to /renew.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, text, done) => done(null, text));
  app.setNotFoundHandler((request, reply) =>
    refuse(reply, 404, `there is no ${request.method} ${request.url.slice(0, 200)}`),
  );
  app.setErrorHandler((error, request, reply) => {
    const status = error instanceof Refusal ? error.status : statusOf(error);
    options.log.warn({ method: request.method, path: request.url, status, reason: messageOf(error) }, 'refused');
    return refuse(reply, status, status === 500 ? 'the CA failed; its log has the reason' : messageOf(error));
  });
  for (const prefix of ['', '/1.0']) app.register(routes(options), { prefix });
  return app;
}

function routes(options: AppOptions) {
  const { authority, roots, intermediatePem, log } = options;
  const byFingerprint = new Map(roots.map((root) => [fingerprintOf(root), root]));

  const answer = (reply: FastifyReply, request: FastifyRequest, certificate: string) => {
    const { serial, names, notAfter } = summaryOf(certificate);
    log.info({ path: request.url, serial, names, notAfter }, 'issued');
    return reply.status(201).send({ crt: certificate, ca: intermediatePem, certChain: [certificate, intermediatePem] });
  };

  return async (app: FastifyInstance) => {
    app.get('/health', async () => ({ status: 'ok' }));
    app.get('/version', async () => ({ version: '0.30.2' }));
    app.get<{ Params: { sha: string } }>('/root/:sha', async ({ params }) => {
      const root = byFingerprint.get(params.sha.toLowerCase().replaceAll('-', ''));
      if (root === undefined) throw new Refusal(404, 'this CA has no root certificate with that fingerprint');
      return { ca: root };
    });
    app.get('/roots', async (_request, reply) => reply.status(201).send({ crts: roots }));
    app.get('/roots.pem', async (_request, reply) => reply.type('application/x-pem-file').send(roots.join('')));
    app.get('/intermediates', async (_request, reply) => reply.status(201).send({ crts: [intermediatePem] }));
    app.get('/intermediates.pem', async (_request, reply) =>
      reply.type('application/x-pem-file').send(intermediatePem),
    );
    app.get('/federation', async (_request, reply) =>
      reply.status(201).send({ crts: [...roots, ...options.federatedRoots] }),
    );
    app.get('/provisioners', async ({ query }) => page(options.provisioners, query as Body));
    app.get<{ Params: { kid: string } }>('/provisioners/:kid/encrypted-key', async ({ params }) => {
      const key = options.provisioners.find((one) => one.key.kid === params.kid)?.encryptedKey;
      if (!key) throw new Refusal(404, 'this CA has no encrypted key with that id');
      return { key };
    });
    app.post('/sign', async (request, reply) => {
      const body = jsonBody(request);
      const [csr, ott] = [requiredText(body, 'csr'), requiredText(body, 'ott')];
      const [notBefore, notAfter] = [text(body, 'notBefore'), text(body, 'notAfter')];
      return answer(reply, request, await authority.sign({ csr, ott, notBefore, notAfter }));
    });
    const renew = async (request: FastifyRequest, reply: FastifyReply) =>
      answer(reply, request, await authority.renew(requiredPeer(request)));
    app.post('/renew', renew);
    app.post('/re-sign', renew);
    app.post('/rekey', async (request, reply) => {
      const peer = requiredPeer(request);
      return answer(reply, request, await authority.renew(peer, requiredText(jsonBody(request), 'csr')));
    });
    app.post('/revoke', async (request) => {
      const body = jsonBody(request);
      checkRevocation(body);
      const [serial, ott] = [requiredText(body, 'serial'), text(body, 'ott')];
      const number = await authority.revoke({ serial, ott }, peerOf(request));
      log.info({ serial: number, reason: text(body, 'reason') }, 'revoked');
      return { status: 'ok' };
    });
  };
}

function refuse(reply: FastifyReply, status: number, message: string): FastifyReply {
  return reply.status(status).send({ status, message });
}

/** fastify's own errors (body too large, malformed URL) carry their status. */
function statusOf(error: unknown): number {
  const { statusCode } = error as { statusCode?: unknown };
  if (error instanceof AutocertError || typeof statusCode !== 'number') return 500;
  return statusCode >= 400 && statusCode < 500 ? statusCode : 500;
}

function jsonBody({ body }: FastifyRequest): Body {
  let parsed: unknown;
  try {
    parsed = JSON.parse(String(body ?? ''));
  } catch {
    throw badRequest('the body is not JSON');
  }
  if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return parsed as Body;
  throw badRequest('the body has to be a JSON object');
}

/** Empty texts count as absent: Go's clients send all fields. */
function text(body: Body, field: string): string {
  const value = body[field] ?? '';
  if (typeof value === 'string') return value;
  throw badRequest(`${field} has to be a text`);
}

function requiredText(body: Body, field: string): string {
  const value = text(body, field);
  if (value === '') throw badRequest(`${field} is missing`);
  return value;
}

function checkRevocation({ reasonCode = 0, passive }: Body): void {
  if (!(Number.isInteger(reasonCode) && Number(reasonCode) >= 0 && Number(reasonCode) <= MAX_REASON_CODE)) {
    throw badRequest(`reasonCode has to be a number from 0 to ${MAX_REASON_CODE}`);
  }
  if (passive !== true) throw new Refusal(501, 'only passive revocation: set passive to true');
}

/** The certificate that the client proved to have the key of; who issued it is not checked here. */
function peerOf({ raw }: FastifyRequest): X509Certificate | undefined {
  return (raw.socket as TLSSocket).getPeerX509Certificate();
}

function requiredPeer(request: FastifyRequest): X509Certificate {
  const peer = peerOf(request);
  if (peer === undefined) throw badRequest('a client certificate is missing');
  return peer;
}

/** A page of the provisioners; the cursor is the place of the next one. */
function page(provisioners: readonly JwkProvisioner[], { cursor = '0', limit = '0' }: Body) {
  const [start, asked] = [Number(cursor), Number(limit)];
  if (!Number.isInteger(asked)) throw badRequest('limit has to be a number');
  if (!(Number.isInteger(start) && start >= 0)) throw badRequest('cursor has to be a nextCursor of this CA');
  const end = start + (asked <= 0 ? DEFAULT_PAGE : Math.min(asked, MAX_PAGE));
  return { provisioners: provisioners.slice(start, end), nextCursor: end < provisioners.length ? String(end) : '' };
}

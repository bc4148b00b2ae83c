/**
 * step-ca's HTTP protocol, as far as Autocert and `step ca` need it to try things out: health, roots, provisioners, sign,
 * renew, rekey; each path with and without `/1.0`.
 * @module
 */
import type { X509Certificate } from 'node:crypto';
import type { ServerOptions } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import { messageOf } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { isRecord } from '../lib/validator.ts';
import type { JwkProvisioner } from '../step-ca/one-time-token.ts';
import { fingerprintOf, summaryOf } from '../x509/certificate.ts';
import type { Authority } from './authority.ts';
import { badRequest, notFound, statusOf } from './refusal.ts';

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
    const status = statusOf(error);
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
      if (root === undefined) throw notFound('this CA has no root certificate with that fingerprint');
      return { ca: root };
    });
    app.get('/roots', async (_request, reply) => reply.status(201).send({ crts: roots }));
    app.get('/federation', async (_request, reply) =>
      reply.status(201).send({ crts: [...roots, ...options.federatedRoots] }),
    );
    // All on one page: there are a few.
    app.get('/provisioners', async () => ({ provisioners: options.provisioners, nextCursor: '' }));
    app.get<{ Params: { kid: string } }>('/provisioners/:kid/encrypted-key', async ({ params }) => {
      const key = options.provisioners.find((one) => one.key.kid === params.kid)?.encryptedKey;
      if (!key) throw notFound('this CA has no encrypted key with that id');
      return { key };
    });
    app.post('/sign', async (request, reply) => {
      const body = jsonBody(request);
      const [csr, ott] = [requiredText(body, 'csr'), requiredText(body, 'ott')];
      const [notBefore, notAfter] = [text(body, 'notBefore'), text(body, 'notAfter')];
      return answer(reply, request, await authority.sign({ csr, ott, notBefore, notAfter }));
    });
    app.post('/renew', async (request, reply) => answer(reply, request, await authority.renew(peerOf(request))));
    app.post('/rekey', async (request, reply) => {
      const peer = peerOf(request);
      return answer(reply, request, await authority.renew(peer, requiredText(jsonBody(request), 'csr')));
    });
  };
}

function refuse(reply: FastifyReply, status: number, message: string): FastifyReply {
  return reply.status(status).send({ status, message });
}

function jsonBody({ body }: FastifyRequest): Body {
  let parsed: unknown;
  try {
    parsed = JSON.parse(String(body ?? ''));
  } catch {
    throw badRequest('the body is not JSON');
  }
  if (isRecord(parsed)) return parsed;
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

/** The certificate that the client proved to have the key of; who issued it is not checked here. */
function peerOf({ raw }: FastifyRequest): X509Certificate {
  const peer = (raw.socket as TLSSocket).getPeerX509Certificate();
  if (peer === undefined) throw badRequest('a client certificate is missing');
  return peer;
}

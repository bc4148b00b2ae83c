/**
 * A stand-in for the Kubernetes API server, on loopback, for `autocert start` only. It holds the few answers that the
 * webhook asks an API server for: TokenReview, a pod, a namespace, the version. The service-account tokens that it
 * issues and reviews are real JWTs (RFC 7519), bound to a pod as those of a projected volume are.
 * @module
 */
import { generateKeyPairSync, type KeyObject, randomUUID, sign, verify } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { NAMESPACE_LABEL } from '../../contract.ts';
import { Secret } from '../../lib/secret.ts';
import type { Pod } from './pod-file.ts';

/** The version that this stand-in says it is: sidecar delivery, since there is no kubelet to make a pod's key. */
const VERSION = { major: '1', minor: '34', gitVersion: 'v1.34.0' };
const ISSUER = 'https://kubernetes.default.svc.cluster.local';
/** The largest TokenReview is a few kilobytes. */
const MAX_BODY = 64 * 1024;

interface Claims {
  readonly aud: readonly string[];
  readonly exp: number;
  readonly sub: string;
  readonly 'kubernetes.io': {
    readonly namespace: string;
    readonly pod: { readonly name: string; readonly uid: string };
    readonly serviceaccount: { readonly name: string };
  };
}

interface Answer {
  readonly status: number;
  readonly body: object;
}

const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

const failure = (status: number, reason: string, message: string): Answer => ({
  status,
  body: { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason, message, code: status },
});

/** An API server with pods but no cluster. */
export class StandInApiServer {
  readonly #keys: { publicKey: KeyObject; privateKey: KeyObject } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  readonly #pods = new Map<string, Pod>();
  readonly #server: Server;

  constructor(tls: { cert: string; key: Secret }) {
    this.#server = createServer({ cert: tls.cert, key: tls.key.reveal() }, (request, response) => {
      this.#answer(request).then(
        (answer) => reply(response, answer),
        (error) => reply(response, failure(400, 'BadRequest', String(error))),
      );
    });
  }

  /** Starts to listen on a free port of loopback; the base URL. */
  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Stops listening and ends open connections. */
  async close(): Promise<void> {
    await new Promise((resolve) => {
      this.#server.close(resolve);
      this.#server.closeAllConnections();
    });
  }

  /** Makes the pod known, as it is after admission. */
  addPod(pod: Pod): void {
    this.#pods.set(`${pod.metadata.namespace}/${pod.metadata.name}`, pod);
  }

  /** A service-account token as kubelet would project it into the pod. Lifetime in seconds. */
  issueToken(pod: Pod, audience: string, lifetime: number): Secret {
    const { namespace, name, uid } = pod.metadata;
    const now = Math.floor(Date.now() / 1000);
    const serviceAccount = pod.spec.serviceAccountName;
    const payload = {
      iss: ISSUER,
      sub: `system:serviceaccount:${namespace}:${serviceAccount}`,
      aud: [audience],
      iat: now,
      nbf: now,
      exp: now + lifetime,
      jti: randomUUID(),
      'kubernetes.io': { namespace, pod: { name, uid }, serviceaccount: { name: serviceAccount } },
    };
    const input = `${encode({ alg: 'ES256', typ: 'JWT' })}.${encode(payload)}`;
    const signature = sign('sha256', Buffer.from(input), { key: this.#keys.privateKey, dsaEncoding: 'ieee-p1363' });
    return new Secret(`${input}.${signature.toString('base64url')}`);
  }

  async #answer(request: IncomingMessage): Promise<Answer> {
    const path = new URL(request.url ?? '/', 'https://api').pathname;
    const pod = /^\/api\/v1\/namespaces\/([^/]+)\/pods\/([^/]+)$/.exec(path);
    const namespace = /^\/api\/v1\/namespaces\/([^/]+)$/.exec(path);
    if (path === '/version') return { status: 200, body: VERSION };
    if (path === '/apis/authentication.k8s.io/v1/tokenreviews' && request.method === 'POST') {
      return { status: 201, body: this.#review(JSON.parse(await readBody(request))) };
    }
    if (pod) {
      const found = this.#pods.get(`${pod[1]}/${pod[2]}`);
      return found ? { status: 200, body: found } : failure(404, 'NotFound', `pods "${pod[2]}" not found`);
    }
    if (namespace) {
      const labels = { [NAMESPACE_LABEL.key]: NAMESPACE_LABEL.value };
      return { status: 200, body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace[1], labels } } };
    }
    return failure(404, 'NotFound', 'this stand-in has no such resource');
  }

  /** `TokenReview` (authentication.k8s.io/v1): is the token ours, of now, and for one of the audiences asked for? */
  #review(review: { spec?: { token?: string; audiences?: string[] } }): object {
    const claims = this.#verified(review.spec?.token ?? '');
    const audiences = (review.spec?.audiences ?? []).filter((audience) => claims?.aud.includes(audience));
    const base = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: {} };
    if (!claims || audiences.length === 0) {
      return {
        ...base,
        status: { authenticated: false, error: 'the token is not valid here or not for this audience' },
      };
    }
    const { pod } = claims['kubernetes.io'];
    const extra = {
      'authentication.kubernetes.io/pod-name': [pod.name],
      'authentication.kubernetes.io/pod-uid': [pod.uid],
    };
    return { ...base, status: { authenticated: true, audiences, user: { username: claims.sub, extra } } };
  }

  #verified(token: string): Claims | undefined {
    const [header, payload, signature] = token.split('.');
    if (!header || !payload || !signature) return undefined;
    const key = { key: this.#keys.publicKey, dsaEncoding: 'ieee-p1363' } as const;
    if (!verify('sha256', Buffer.from(`${header}.${payload}`), key, Buffer.from(signature, 'base64url')))
      return undefined;
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Claims;
    return claims.exp > Date.now() / 1000 ? claims : undefined;
  }
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY) throw new Error(`the body is larger than ${MAX_BODY} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function reply(response: ServerResponse, { status, body }: Answer): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

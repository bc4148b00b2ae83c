/**
 * The few answers that the webhook and the dashboard ask of a Kubernetes API server, on loopback, for the demo only:
 * TokenReview, pods, a namespace, the version, Events, and what the demo itself puts there. The service-account tokens that it issues and reviews are real JWTs (RFC 7519), bound to a
 * pod as those of a projected volume are.
 * @module
 */
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { CoreV1Event, V1TokenReviewSpec, V1TokenReviewStatus } from '@kubernetes/client-node';
import { jwtVerify, SignJWT } from 'jose';
import { NAMESPACE_LABEL } from '../../contract.ts';
import { parseJson, readAll } from '../../kubernetes/wire.ts';
import { messageOf } from '../../lib/errors.ts';
import { putNewest } from '../../lib/newest.ts';
import { Secret } from '../../lib/secret.ts';
import type { Pod } from './pod-file.ts';

/** Sidecar delivery follows from this version: there is no kubelet here to make a pod's key. */
const VERSION = { major: '1', minor: '34', gitVersion: 'v1.34.0' };
const ISSUER = 'https://kubernetes.default.svc.cluster.local';
const ALGORITHM = 'ES256';
/** Events that are kept. */
const MAX_EVENTS = 200;

interface Answer {
  readonly status: number;
  /** What is no text is JSON. */
  readonly body: object | string;
}

const failure = (status: number, reason: string, message: string): Answer => ({
  status,
  body: { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason, message, code: status },
});

/** A namespace; the pods and Events of one, or of all. */
const PATH = /^\/api\/v1(?:\/namespaces\/([^/]+))?(?:\/(pods|events)(?:\/([^/]+))?)?$/;

const list = (items: readonly object[]): Answer => ({ status: 200, body: { kind: 'List', apiVersion: 'v1', items } });

/** An API server with pods but no cluster. */
export class DemoApiServer {
  readonly #keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  readonly #pods = new Map<string, Pod>();
  readonly #events = new Map<string, CoreV1Event>();
  readonly #objects = new Map<string, object>();
  readonly #proxied = new Map<string, () => Promise<string>>();
  readonly #server = createServer((request, response) => {
    this.#answer(request).then(
      (answer) => reply(response, answer),
      (error) => reply(response, failure(400, 'BadRequest', messageOf(error))),
    );
  });

  /** Starts to listen on a free port of loopback, as `kubectl proxy` does; the base URL. */
  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return this.url;
  }

  /** The base URL. */
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Stops listening and ends open connections. */
  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  /** Makes the pod known, as it is after admission. */
  addPod(pod: Pod): void {
    this.#pods.set(`${pod.metadata.namespace}/${pod.metadata.name}`, pod);
  }

  /** Makes an object known by its path. */
  addObject(path: string, object: object): void {
    this.#objects.set(path, object);
  }

  /** Has what a pod answers asked for, at a path of the API server's proxy. */
  addProxy(path: string, ask: () => Promise<string>): void {
    this.#proxied.set(path, ask);
  }

  /** A service-account token as kubelet would project it into the pod. Lifetime in seconds. */
  async issueToken({ metadata, spec }: Pod, audience: string, lifetime: number): Promise<Secret> {
    const { namespace, name, uid } = metadata;
    const { serviceAccountName } = spec;
    const bound = { namespace, pod: { name, uid }, serviceaccount: { name: serviceAccountName } };
    const token = new SignJWT({ 'kubernetes.io': bound })
      .setProtectedHeader({ alg: ALGORITHM, typ: 'JWT' })
      .setIssuer(ISSUER)
      .setSubject(`system:serviceaccount:${namespace}:${serviceAccountName}`)
      .setAudience(audience)
      .setIssuedAt()
      .setNotBefore('0 seconds')
      .setExpirationTime(`${lifetime} seconds`)
      .setJti(randomUUID());
    return new Secret(await token.sign(this.#keys.privateKey));
  }

  async #answer(request: IncomingMessage): Promise<Answer> {
    const path = new URL(request.url ?? '/', 'https://api').pathname;
    if (request.method === 'POST') return this.#create(path, await readAll(request, path));
    const object = path === '/version' ? VERSION : this.#objects.get(path);
    if (object) return { status: 200, body: object };
    const proxied = this.#proxied.get(path);
    if (proxied) return { status: 200, body: await proxied() };
    const [, namespace, kind, name] = PATH.exec(path) ?? [];
    if (kind === 'pods' && name !== undefined) {
      const found = this.#pods.get(`${namespace}/${name}`);
      return found ? { status: 200, body: found } : failure(404, 'NotFound', `pods "${name}" not found`);
    }
    if (kind === 'pods' || kind === 'events') {
      const all = [...(kind === 'pods' ? this.#pods : this.#events).values()];
      return list(all.filter(({ metadata }) => namespace === undefined || metadata.namespace === namespace));
    }
    if (namespace !== undefined && kind === undefined) {
      const labels = { [NAMESPACE_LABEL.key]: NAMESPACE_LABEL.value };
      return { status: 200, body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, labels } } };
    }
    return failure(404, 'NotFound', 'the API server of the demo has no such resource');
  }

  async #create(path: string, text: string): Promise<Answer> {
    if (path === '/apis/authentication.k8s.io/v1/tokenreviews') {
      const { spec } = parseJson(text, path) as { spec: V1TokenReviewSpec };
      const kind = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview' };
      return { status: 201, body: { ...kind, spec: {}, status: await this.#review(spec) } };
    }
    const [, namespace, kind] = PATH.exec(path) ?? [];
    if (kind !== 'events') return failure(404, 'NotFound', 'the API server of the demo has no such resource');
    const { metadata: _, ...event } = parseJson(text, path) as CoreV1Event;
    const name = randomUUID();
    const created = { ...event, metadata: { name, ...(namespace !== undefined && { namespace }) } };
    putNewest(this.#events, name, created, MAX_EVENTS);
    return { status: 201, body: created };
  }

  /** Is the token ours, of now, and for one of the audiences asked for? */
  async #review({ token = '', audiences = [] }: V1TokenReviewSpec): Promise<V1TokenReviewStatus> {
    const options = { issuer: ISSUER, audience: audiences, algorithms: [ALGORITHM] };
    try {
      const { payload } = await jwtVerify(token, this.#keys.publicKey, options);
      const { pod } = payload['kubernetes.io'] as { pod: { name: string; uid: string } };
      const extra = {
        'authentication.kubernetes.io/pod-name': [pod.name],
        'authentication.kubernetes.io/pod-uid': [pod.uid],
      };
      const granted = audiences.filter((audience) => [payload.aud].flat().includes(audience));
      return { authenticated: true, audiences: granted, user: { username: payload.sub ?? '', extra } };
    } catch (error) {
      return { authenticated: false, error: messageOf(error) };
    }
  }
}

function reply(response: ServerResponse, { status, body }: Answer): void {
  const [type, text] = typeof body === 'string' ? ['text/plain', body] : ['application/json', JSON.stringify(body)];
  response.writeHead(status, { 'content-type': type }).end(text);
}

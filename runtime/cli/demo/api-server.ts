/**
 * The few answers that the webhook asks of a Kubernetes API server, on loopback, for the demo only: TokenReview, a pod, a
 * namespace, the version. The service-account tokens that it issues and reviews are real JWTs (RFC 7519), bound to a
 * pod as those of a projected volume are.
 * @module
 */
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { V1TokenReviewSpec, V1TokenReviewStatus } from '@kubernetes/client-node';
import { jwtVerify, SignJWT } from 'jose';
import { NAMESPACE_LABEL } from '../../contract.ts';
import { parseJson, readAll } from '../../kubernetes/wire.ts';
import { messageOf } from '../../lib/errors.ts';
import { Secret } from '../../lib/secret.ts';
import type { Pod } from './pod-file.ts';

/** Sidecar delivery follows from this version: there is no kubelet here to make a pod's key. */
const VERSION = { major: '1', minor: '34', gitVersion: 'v1.34.0' };
const ISSUER = 'https://kubernetes.default.svc.cluster.local';
const ALGORITHM = 'ES256';

interface Answer {
  readonly status: number;
  readonly body: object;
}

const failure = (status: number, reason: string, message: string): Answer => ({
  status,
  body: { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason, message, code: status },
});

/** An API server with pods but no cluster. */
export class DemoApiServer {
  readonly #keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  readonly #pods = new Map<string, Pod>();
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
    const [, namespace, pod] = /^\/api\/v1\/namespaces\/([^/]+)(?:\/pods\/([^/]+))?$/.exec(path) ?? [];
    if (path === '/version') return { status: 200, body: VERSION };
    if (path === '/apis/authentication.k8s.io/v1/tokenreviews' && request.method === 'POST') {
      const { spec } = parseJson(await readAll(request, path), path) as { spec: V1TokenReviewSpec };
      const kind = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview' };
      return { status: 201, body: { ...kind, spec: {}, status: await this.#review(spec) } };
    }
    if (pod !== undefined) {
      const found = this.#pods.get(`${namespace}/${pod}`);
      return found ? { status: 200, body: found } : failure(404, 'NotFound', `pods "${pod}" not found`);
    }
    if (namespace !== undefined) {
      const labels = { [NAMESPACE_LABEL.key]: NAMESPACE_LABEL.value };
      return { status: 200, body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, labels } } };
    }
    return failure(404, 'NotFound', 'the API server of the demo has no such resource');
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
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

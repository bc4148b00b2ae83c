/**
 * As much of the Kubernetes API as the signer uses, over plain HTTP on loopback: discovery, lists and watches of
 * requests, their status, pods, namespaces, events, the Lease, the trust bundle. Notes who asked what.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { CoreV1Event, V1Pod } from '@kubernetes/client-node';
import type { PodCertificateRequest, RequestStatus } from '../../../runtime/signer/pod-certificate-request.ts';

type Unanswered = Omit<PodCertificateRequest, 'status'>;
type Stored = Unanswered & { status?: RequestStatus };

export class FakeApiServer {
  readonly pods = new Map<string, V1Pod>();
  readonly events: CoreV1Event[] = [];
  /** Whether namespaces carry the label. */
  labelled = true;
  /** Calls as `VERB resource`, each once: what RBAC has to allow. */
  readonly calls = new Set<string>();
  readonly bundles: unknown[] = [];
  /** The one MutatingWebhookConfiguration. */
  webhookConfiguration: { webhooks: { name: string; clientConfig: { caBundle?: string } }[] } | undefined;
  podCertificates = true;
  /** Whether it answers 503 to everything. */
  failing = false;
  readonly #requests = new Map<string, Stored>();
  readonly #watches = new Set<ServerResponse>();
  readonly #server = createServer((request, response) => void this.#answer(request, response));
  #lease: { metadata: { resourceVersion: string }; spec?: { holderIdentity?: string } } | undefined;
  #version = 100;

  async listen(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  get leader(): string | undefined {
    return this.#lease?.spec?.holderIdentity;
  }

  /** A pod and kubelet's request for it. */
  add(request: Unanswered, pod: V1Pod): void {
    this.pods.set(request.spec.podName, pod);
    this.#store(request, 'ADDED');
  }

  status(name: string): RequestStatus | undefined {
    return this.#requests.get(name)?.status;
  }

  #store(request: Stored, type: string): Stored {
    this.#version += 1;
    const stored = { ...request, metadata: { ...request.metadata, resourceVersion: String(this.#version) } };
    this.#requests.set(request.metadata.name, stored);
    for (const watch of this.#watches) watch.write(`${JSON.stringify({ type, object: stored })}\n`);
    return stored;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://api');
    const parts = url.pathname.split('/').map(decodeURIComponent);
    const name = parts.at(-1) ?? '';
    const body = await json(request);
    const send = (status: number, answer: unknown) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(answer));
    };
    const call = (verb: string, resource: string) => this.calls.add(`${verb} ${resource}`);
    const missing = () => send(404, { reason: 'NotFound', message: `${url.pathname} not found` });
    if (this.failing) return send(503, { message: 'etcd is away' });
    if (url.pathname === '/apis/certificates.k8s.io/v1') {
      return this.podCertificates
        ? send(200, { resources: [{ name: 'podcertificaterequests' }, { name: 'clustertrustbundles' }] })
        : missing();
    }
    if (name === 'podcertificaterequests') {
      if (url.searchParams.get('fieldSelector') !== 'spec.signerName=autocert.step.sm/workload') return missing();
      call(url.searchParams.has('watch') ? 'watch' : 'list', name);
      if (!url.searchParams.has('watch')) {
        const items = [...this.#requests.values()];
        return send(200, { items, metadata: { resourceVersion: String(this.#version) } });
      }
      this.#watches.add(response);
      response.on('close', () => this.#watches.delete(response)).writeHead(200);
      response.flushHeaders();
      return;
    }
    if (name === 'status') {
      call(verbOf(request), 'podcertificaterequests/status');
      const stored = this.#requests.get(parts.at(-2) ?? '');
      if (!stored) return missing();
      const { metadata, status } = body as Stored;
      if (metadata.resourceVersion !== stored.metadata.resourceVersion) return send(409, { reason: 'Conflict' });
      return send(200, this.#store({ ...stored, ...(status && { status }) }, 'MODIFIED'));
    }
    if (parts.includes('clustertrustbundles')) {
      call(verbOf(request), 'clustertrustbundles');
      this.bundles.push(body);
      return send(200, body);
    }
    if (parts.includes('mutatingwebhookconfigurations')) {
      call(verbOf(request), 'mutatingwebhookconfigurations');
      if (!this.webhookConfiguration) return missing();
      if (request.method === 'PATCH') this.webhookConfiguration = body as typeof this.webhookConfiguration;
      return send(200, this.webhookConfiguration);
    }
    if (parts.includes('leases')) {
      call(verbOf(request), 'leases');
      if (request.method === 'GET') return this.#lease ? send(200, this.#lease) : missing();
      const written = body as { metadata: { resourceVersion?: string } };
      if (written.metadata.resourceVersion !== this.#lease?.metadata.resourceVersion) {
        return send(409, { reason: 'Conflict' });
      }
      this.#version += 1;
      this.#lease = { ...written, metadata: { ...written.metadata, resourceVersion: String(this.#version) } };
      return send(200, this.#lease);
    }
    if (url.pathname === '/api/v1/namespaces') {
      call('list', 'namespaces');
      return send(200, { items: this.labelled ? [{ metadata: { name: 'shop' } }] : [], metadata: {} });
    }
    if (name === 'pods') {
      call('list', 'pods');
      const items = [...this.pods].map(([name, { metadata }]) => ({ metadata: { name, ...metadata } }));
      return send(200, { items, metadata: {} });
    }
    if (parts.includes('pods')) {
      call(verbOf(request), 'pods');
      const pod = this.pods.get(name);
      return pod ? send(200, pod) : missing();
    }
    if (name === 'events') {
      call(verbOf(request), 'events');
      this.events.push(body as CoreV1Event);
      return send(201, body);
    }
    call(verbOf(request), 'namespaces');
    return send(200, { metadata: { name, labels: this.labelled ? { 'autocert.step.sm': 'enabled' } : {} } });
  }
}

function verbOf({ method }: IncomingMessage): string {
  return { GET: 'get', POST: 'create', PUT: 'update', PATCH: 'patch' }[method ?? ''] ?? String(method);
}

async function json(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return chunks.length === 0 ? undefined : JSON.parse(Buffer.concat(chunks).toString());
}

/**
 * The webhook as a program, on ports of its own, with a CA over real TLS and an API server in memory.
 * @module
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import type { WebhookConfig } from '../../runtime/contract.ts';
import { Secret } from '../../runtime/lib/secret.ts';
import { createProvisioner } from '../../runtime/step-ca/one-time-token.ts';
import { type RunningWebhook, startWebhook } from '../../runtime/webhook/run.ts';
import { tokenOf } from '../../scripts/cluster/attestation-token.ts';
import { waitFor } from '../../scripts/cluster/shell.ts';
import { type FakeCa, startFakeCa } from './fake-ca.ts';
import { quiet } from './logs.ts';
import { ObjectStore } from './object-store.ts';
import { runningPod } from './pods.ts';
import { reviewOf, sleepPod, webhookConfig } from './reviews.ts';

const PASSWORD = 'the password';
/** Where the CA tells of its provisioners. */
export const PROVISIONERS = '/1.0/provisioners';
/** The provisioner `autocert`. */
export const provisioner = await createProvisioner('autocert', new Secret(PASSWORD));

/** A request; without `agent` on a connection of its own. */
type Call = { readonly port?: number; readonly body?: unknown; readonly token?: string; readonly agent?: https.Agent };

/** What a probe is answered. */
interface Probed {
  readonly status: number;
  readonly body: string;
}

/** An answer, and by whose certificate. */
export interface Reply extends Probed {
  readonly headers: Readonly<Record<string, unknown>>;
  /** Of the certificate that is served. */
  readonly serial: string;
  readonly localPort: number | undefined;
}

/** A webhook on ports of its own, with the CA and the API server that it has. */
export class WebhookWorld implements AsyncDisposable {
  readonly #dir = mkdtempSync(join(tmpdir(), 'autocert-webhook-'));
  readonly #stop = new AbortController();
  readonly store = new ObjectStore();
  readonly ca: FakeCa;
  config: WebhookConfig;
  /** How long it still serves when it is told to stop. */
  lingerMs = 200;
  webhook!: RunningWebhook;

  private constructor(ca: FakeCa) {
    this.ca = ca;
    ca.routes[PROVISIONERS] = [200, { provisioners: [provisioner] }];
    writeFileSync(join(this.#dir, 'root.crt'), ca.root.certificatePem);
    writeFileSync(join(this.#dir, 'password'), `${PASSWORD}\n`);
    this.config = webhookConfig({
      caUrl: ca.url,
      rootFile: join(this.#dir, 'root.crt'),
      provisionerPasswordFile: join(this.#dir, 'password'),
      autocertUrl: 'https://localhost:4444',
      servingNames: ['localhost'],
      host: '127.0.0.1',
      port: 0,
      certificatePort: 0,
      healthPort: 0,
    });
    const user = {
      username: 'system:serviceaccount:shop:web',
      extra: {
        'authentication.kubernetes.io/pod-name': ['web-0'],
        'authentication.kubernetes.io/pod-uid': ['uid-1'],
      },
    };
    this.store.objects
      .set('/version', { major: '1', minor: '34' })
      .set('/api/v1/namespaces/shop', { metadata: { labels: { 'autocert.step.sm': 'enabled' } } })
      .set('/api/v1/namespaces/shop/pods/web-0', runningPod());
    const accepted = { status: { authenticated: true, audiences: ['autocert.step.sm'], user } };
    this.store.reviews.set('/apis/authentication.k8s.io/v1/tokenreviews', (body) =>
      (body as { spec: { token: string } }).spec.token.endsWith('.good')
        ? accepted
        : { status: { authenticated: false } },
    );
    this.store.reviews.set('/api/v1/namespaces/shop/events', (event) => {
      this.events.push(event);
      return event;
    });
  }

  readonly events: unknown[] = [];

  /** Starts it in a world that differs from a good one by `change`. */
  static async start(change: (world: WebhookWorld) => void = () => {}): Promise<WebhookWorld> {
    const world = new WebhookWorld(await startFakeCa());
    change(world);
    const { store: api } = world;
    world.webhook = await startWebhook({
      config: () => world.config,
      api,
      podName: 'autocert-1',
      log: quiet,
      signal: world.#stop.signal,
      lingerMs: world.lingerMs,
    });
    return world;
  }

  /** The same, when it is ready. */
  static async ready(change?: (world: WebhookWorld) => void): Promise<WebhookWorld> {
    const world = await WebhookWorld.start(change);
    await world.until();
    return world;
  }

  stop(): Promise<void> {
    this.#stop.abort();
    return this.webhook.stopped;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.ca[Symbol.asyncDispose]();
    rmSync(this.#dir, { recursive: true });
  }

  /** As the API server and the agents ask: only a certificate of the CA will do. `token`: who signed it. */
  call(path: string, call: Call = {}): Promise<Reply> {
    const token = call.token !== undefined && { token: tokenOf({}, call.token) };
    return request(path, { port: this.webhook.port, ca: this.ca.root.certificatePem }, { ...call, ...token });
  }

  /** As kubelet's probes and Prometheus ask. */
  async probe(path: string): Promise<Probed> {
    const answer = await fetch(`http://127.0.0.1:${this.webhook.healthPort}${path}`);
    return { status: answer.status, body: await answer.text() };
  }

  /** Asks for a certificate with a service-account token; the API server knows the signature `good`. */
  certificate(token: string, csr: string): Promise<Reply> {
    return this.call('/certificate', { port: this.webhook.certificatePort, token, body: { csr } });
  }

  /** Asks for readiness until it is there, or what is said of it has `words`. Gives back the answer. */
  until(words?: string): Promise<Probed> {
    const look = async () => {
      const reply = await this.probe('/readyz');
      return (words === undefined ? reply.status === 200 : reply.body.includes(words)) && reply;
    };
    return waitFor('the probe', look, { everyMs: 20 });
  }

  /** The patch for a pod that asks for a certificate. */
  async patch(): Promise<string> {
    const { response } = JSON.parse((await this.call('/mutate', { body: reviewOf(sleepPod()) })).body);
    return Buffer.from(response.patch, 'base64').toString();
  }
}

function request(path: string, options: https.RequestOptions, { port, body, token, agent }: Call): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const outgoing = https.request({
      host: 'localhost',
      path,
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
      agent: agent ?? false,
      ...options,
      ...(port !== undefined && { port }),
    });
    outgoing.on('error', reject).on('response', (response) => {
      const { serialNumber: serial } = (response.socket as TLSSocket).getPeerCertificate();
      const { localPort } = response.socket;
      const { statusCode: status = 0, headers } = response;
      let text = '';
      response.on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () => resolve({ status, body: text, headers, serial, localPort }));
    });
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { apiError } from '../../../runtime/kubernetes/wire.ts';
import type { Log } from '../../../runtime/lib/log.ts';
import { createProvisioner } from '../../../runtime/step-ca/one-time-token.ts';
import { Secret } from '../../../runtime/lib/secret.ts';
import { type RunningWebhook, startWebhook } from '../../../runtime/webhook/run.ts';
import { type FakeCa, startFakeCa } from '../../support/fake-ca.ts';
import { reviewOf, sleepPod, webhookConfig } from '../../support/reviews.ts';

const PASSWORD = 'the password';
const dir = mkdtempSync(join(tmpdir(), 'autocert-webhook-'));
const quiet: Log = { info: () => {}, warn: () => {}, error: () => {} };
const api = {
  get: async <T>(path: string): Promise<T> => {
    if (path === '/version') return { major: '1', minor: '34' } as T;
    throw apiError(404, 'NotFound', path);
  },
  create: async <T>() => ({ status: { authenticated: false } }) as T,
};

let ca: FakeCa;
let webhook: RunningWebhook;
let stop: AbortController;
let agent: https.Agent;
const PROVISIONERS = '/1.0/provisioners';

beforeAll(async () => {
  ca = await startFakeCa();
  ca.routes[PROVISIONERS] = [503, { message: 'starting' }];
  writeFileSync(join(dir, 'root.crt'), ca.root.certificatePem);
  writeFileSync(join(dir, 'password'), `${PASSWORD}\n`);
  stop = new AbortController();
  agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
  const config = webhookConfig({
    caUrl: ca.url,
    rootFile: join(dir, 'root.crt'),
    provisionerPasswordFile: join(dir, 'password'),
    autocertUrl: 'https://localhost',
    servingNames: ['localhost'],
    port: 0,
  });
  webhook = await startWebhook({ config, api, log: quiet, signal: stop.signal, host: '127.0.0.1', lingerMs: 2_000 });
});

afterAll(async () => {
  stop.abort();
  agent.destroy();
  await webhook.stopped;
  await ca[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true });
});

interface Reply {
  readonly status: number;
  readonly body: string;
  readonly serial: string;
  readonly localPort: number | undefined;
}

function call(path: string, options: https.RequestOptions & { body?: unknown } = {}): Promise<Reply> {
  const { body, ...rest } = options;
  return new Promise((resolve, reject) => {
    const request = https.request({
      host: 'localhost',
      port: webhook.port,
      path,
      ...(body !== undefined && { method: 'POST', headers: { 'content-type': 'application/json' } }),
      ...rest,
    });
    request.on('error', reject).on('response', (response) => {
      const { serialNumber } = (response.socket as TLSSocket).getPeerCertificate();
      const { localPort } = response.socket;
      let text = '';
      response.on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body: text, serial: serialNumber, localPort }),
      );
    });
    request.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
const unverified = (path: string) => call(path, { rejectUnauthorized: false, agent: false });
const verified = (path: string, body?: unknown) =>
  call(path, { ca: ca.root.certificatePem, agent: false, ...(body !== undefined && { body }) });

async function until<T>(what: () => Promise<T>, holds: (value: T) => boolean): Promise<T> {
  for (;;) {
    const value = await what();
    if (holds(value)) return value;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

// These tell one story, in this order.

test('while the CA is down the webhook lives, is not ready, and says what it waits for', async () => {
  expect((await unverified('/healthz')).status).toBe(200);
  const reply = await until(
    () => unverified('/readyz'),
    ({ body }) => body.includes('starting'),
  );
  expect(reply.status).toBe(503);
  expect(reply.body).toMatch(/^waiting for the CA: https:.*provisioners answered 503: starting/);
  await expect(verified('/healthz')).rejects.toThrow();
});

test('when the CA comes up it is ready, with a certificate of the CA, without a restart', async () => {
  ca.leaf = { notAfter: new Date(Date.now() + 4_000) };
  ca.routes[PROVISIONERS] = [200, { provisioners: [await createProvisioner('autocert', new Secret(PASSWORD))] }];
  await until(
    () => unverified('/readyz'),
    ({ status }) => status === 200,
  );
  expect((await verified('/readyz')).status).toBe(200);
});

test('a renewed certificate is served to new connections, while those that are open stay so', async () => {
  const kept = () => call('/healthz', { ca: ca.root.certificatePem, agent });
  const before = await kept();
  ca.leaf = {};
  const after = await until(
    () => verified('/healthz'),
    ({ serial }) => serial !== before.serial,
  );
  expect(after.status).toBe(200);
  expect(await kept()).toEqual(before);
});

test('it answers admissions and token requests', async () => {
  const reply = await verified('/mutate', reviewOf(sleepPod()));
  const { response } = JSON.parse(reply.body);
  const patch = Buffer.from(response.patch, 'base64').toString();
  expect(patch).toContain(ca.fingerprint);
  expect(patch).toContain('"restartPolicy":"Always"');
  expect((await verified('/token', {})).status).toBe(401);
  expect((await verified('/metrics')).body).toMatch(/autocert_serving_certificate_not_after_seconds \d{10}/);
});

test('when it is told to stop it is not ready at once, still answers for a while, then closes', async () => {
  stop.abort();
  expect(await verified('/readyz')).toMatchObject({ status: 503, body: 'stopping\n' });
  expect((await verified('/mutate', reviewOf(sleepPod()))).status).toBe(200);
  await webhook.stopped;
  await expect(verified('/healthz')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
});

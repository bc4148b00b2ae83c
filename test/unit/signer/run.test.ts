import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { SignerConfig } from '../../../runtime/contract.ts';
import { KubernetesApi } from '../../../runtime/kubernetes/client.ts';
import { FollowedFile } from '../../../runtime/lib/followed-file.ts';
import { readSignerConfig } from '../../../runtime/signer/config.ts';
import { signUntil } from '../../../runtime/signer/run.ts';
import { splitPem } from '../../../runtime/x509/certificate.ts';
import { startTestCa, type TestCa } from '../../support/embedded-ca.ts';
import { FakeApiServer } from './fake-api-server.ts';
import { POLICY, podOf, requestOf } from './fixtures.ts';

let ca: TestCa;
let server: FakeApiServer;
let api: KubernetesApi;
let folder: string;
const running: { stop: AbortController; ended: Promise<void> }[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'autocert-signer-'));
  ca = await startTestCa();
  server = new FakeApiServer();
  api = new KubernetesApi({ server: await server.listen(), headers: () => ({}) });
});

afterEach(async () => {
  for (const { stop } of running) stop.abort();
  await Promise.all(running.splice(0).map(({ ended }) => ended));
  await server.close();
  await ca.close();
  rmSync(folder, { recursive: true });
});

/** Starts one replica; its log's messages, and the port of its health server once that is known. */
function startSigner(settings: Partial<SignerConfig> = {}) {
  const rootFile = join(folder, 'root.crt');
  const provisionerPasswordFile = join(folder, 'password');
  writeFileSync(rootFile, ca.pki.rootPem);
  writeFileSync(provisionerPasswordFile, `${ca.pki.autocertPassword.reveal()}\n`);
  const config: SignerConfig = {
    ...POLICY,
    maxDuration: '24h',
    caUrl: ca.url,
    rootFile,
    provisioner: 'autocert',
    provisionerPasswordFile,
    lease: { namespace: 'step', name: 'autocert-signer' },
    port: 0,
    ...settings,
  };
  const file = join(folder, `config-${running.length}.json`);
  const configure = (changes: Partial<SignerConfig>) => writeFileSync(file, JSON.stringify({ ...config, ...changes }));
  configure({});
  const lines: { message: string; fields: object }[] = [];
  const note = (fields: object, message: string) => void lines.push({ fields, message });
  const stop = new AbortController();
  const log = { info: note, warn: note, error: note };
  const followed = new FollowedFile(file, readSignerConfig, log);
  const ended = signUntil(stop.signal, followed, api, log, 1000);
  running.push({ stop, ended });
  const get = async (path: string) => {
    const port = await until(() => lines.find(({ message }) => message === 'listening')?.fields as { port?: number });
    const answer = await fetch(`http://127.0.0.1:${port.port}${path}`);
    return { status: answer.status, text: await answer.text() };
  };
  return {
    lines,
    get,
    configure,
    stop: () => stop.abort(),
    ended,
  };
}

/** Waits until there is something. */
async function until<T>(look: () => T | undefined | Promise<T | undefined>): Promise<T> {
  for (;;) {
    const found = await look();
    if (found) return found;
    await pause(5);
  }
}

const emptyConfiguration = () => ({ webhooks: [{ name: 'autocert.step.sm', clientConfig: {} }] });
const caBundle = () => server.webhookConfiguration?.webhooks[0]?.clientConfig.caBundle;
const answered = (name: string) => until(() => server.status(name));

test("a request gets the pod's certificate, which leads to the root in the trust bundle", async () => {
  startSigner();
  server.add(requestOf(), podOf());
  const status = await answered('req-request-1');
  expect(status.conditions).toMatchObject([{ type: 'Issued', status: 'True' }]);
  const [leaf, intermediate] = splitPem(status.certificateChain ?? '').map((pem) => new X509Certificate(pem));
  expect(leaf?.subjectAltName).toBe('DNS:cart.shop.svc');
  expect(leaf?.verify(intermediate?.publicKey as never)).toBe(true);
  const [bundle] = await until(() => (server.bundles.length > 0 ? server.bundles : undefined));
  const { trustBundle } = (bundle as { spec: { trustBundle: string } }).spec;
  expect(intermediate?.verify(new X509Certificate(trustBundle).publicKey)).toBe(true);
});

test('what can never be is denied, and the log says which pod and why', async () => {
  const { lines } = startSigner();
  server.add(requestOf({ nodeName: 'node-2' }), podOf());
  expect((await answered('req-request-1')).conditions).toMatchObject([{ type: 'Denied', reason: 'WrongNode' }]);
  const line = await until(() => lines.find(({ message }) => message === 'request denied'));
  expect(line.fields).toMatchObject({ namespace: 'shop', pod: 'cart', reason: 'WrongNode' });
});

test('what the policy refuses is told by an event on the pod, and issued once the configuration allows it', async () => {
  const { lines, configure } = startSigner();
  server.add(requestOf(), podOf({ 'autocert.step.sm/name': 'cart.example.com' }));
  const event = await until(() => server.events[0]);
  expect(event).toMatchObject({
    involvedObject: { kind: 'Pod', namespace: 'shop', name: 'cart', uid: 'pod-1' },
    reason: 'NotAllowed',
    message: expect.stringContaining('cart.example.com'),
    source: { component: 'autocert-signer' },
  });
  expect(server.status('req-request-1')).toBeUndefined();
  configure({ namespaces: { shop: { allowedNames: ['*.example.com'] } } });
  expect((await answered('req-request-1')).conditions).toMatchObject([{ type: 'Issued' }]);
  expect(lines.map(({ message }) => message)).not.toContain('request denied');
});

test('the URL of the CA is followed as well', async () => {
  const { configure } = startSigner({ caUrl: 'https://127.0.0.1:9' });
  server.add(requestOf(), podOf());
  await until(() => server.calls.has('watch podcertificaterequests'));
  configure({ caUrl: ca.url });
  expect((await answered('req-request-1')).conditions).toMatchObject([{ type: 'Issued' }]);
});

test('a change that takes a restart is told, and a bad configuration changes nothing', async () => {
  const { lines, configure } = startSigner();
  const messages = () => lines.map(({ message }) => message);
  configure({ lease: { namespace: 'step', name: 'another' } });
  await until(() => messages().some((message) => message.includes('takes a restart')));
  configure({ clusterDomain: '' });
  await until(() => messages().some((message) => message.startsWith('configuration not taken over')));
  server.add(requestOf(), podOf());
  expect((await answered('req-request-1')).conditions).toMatchObject([{ type: 'Issued' }]);
});

test('answers what was there before it started, and nothing twice', async () => {
  for (let pod = 0; pod < 50; pod += 1) {
    server.add(requestOf({ podName: `cart-${pod}`, podUID: `pod-${pod}` }, `r${pod}`), {
      ...podOf(),
      metadata: { uid: `pod-${pod}`, annotations: { 'autocert.step.sm/name': `cart-${pod}.shop.svc` } },
    });
  }
  const { lines, get } = startSigner();
  for (let pod = 0; pod < 50; pod += 1) await answered(`req-r${pod}`);
  await until(() => lines.filter(({ message }) => message === 'certificate issued').length === 50);
  expect((await get('/metrics')).text).toContain('autocert_signer_attempts_total{result="issued"} 50');
});

test('writes an audit line for each certificate, and counts it; an Event only where that is asked for', async () => {
  const signer = startSigner();
  server.add(requestOf(), { ...podOf(), status: { phase: 'Pending' } });
  await answered('req-request-1');
  const line = await until(() => signer.lines.find(({ message }) => message === 'certificate issued'));
  expect(line.fields).toEqual({
    result: 'issued',
    namespace: 'shop',
    pod: 'cart',
    podUid: 'pod-1',
    serviceAccount: 'default',
    names: ['cart.shop.svc'],
    serial: expect.stringMatching(/^[0-9A-F]+$/),
    notAfter: expect.stringMatching(/Z$/),
    delivery: 'native',
    purpose: 'starting',
    ms: expect.any(Number),
    request: 'req-request-1',
  });
  expect(server.events).toEqual([]);
  signer.configure({ issuanceEvents: true });
  await until(() => signer.lines.some(({ message }) => message.includes('configuration')));
  server.add(requestOf({}, 'request-2'), { ...podOf(), status: { phase: 'Running' } });
  expect(await until(() => server.events[0])).toMatchObject({ type: 'Normal', reason: 'CertificateIssued' });
  const { text } = await signer.get('/metrics');
  expect(text).toContain('autocert_certificates_issued_total{delivery="native",purpose="starting"} 1\n');
  expect(text).toContain('autocert_certificates_issued_total{delivery="native",purpose="renewal"} 1\n');
  expect(text).toContain('autocert_certificates_known{delivery="native"} 1\n');
  expect(text).toMatch(/^autocert_certificate_not_after_timestamp_seconds\{kind="intermediate",.*\} \d{10}$/m);
  expect(text).toMatch(/^autocert_certificate_not_after_timestamp_seconds\{kind="root",.*\} \d{10}$/m);
});

test('counts the pods of labelled namespaces that were started without injection', async () => {
  server.pods.set('left', {
    metadata: { namespace: 'shop', uid: 'left', annotations: { 'autocert.step.sm/name': 'a.shop.svc' } },
  });
  const { get, lines } = startSigner();
  await until(async () => (await get('/metrics')).text.includes('autocert_pods_not_injected 1\n'));
  expect(lines.find(({ message }) => message.includes('without injection'))?.fields).toMatchObject({
    pods: ['shop/left'],
  });
});

test('waits for a CA that restarts, and does not hold it against the pod', async () => {
  const { lines } = startSigner();
  server.add(requestOf(), podOf());
  await answered('req-request-1');
  const restarted = ca.restart();
  server.add(requestOf({}, 'request-2'), podOf());
  await restarted;
  expect((await answered('req-request-2')).conditions).toMatchObject([{ type: 'Issued' }]);
  expect(lines.map(({ message }) => message)).not.toContain('request failed');
});

test('asks the API server for what its RBAC allows, and nothing else', async () => {
  server.webhookConfiguration = emptyConfiguration();
  const signer = startSigner({ webhookConfiguration: 'autocert' });
  server.add(requestOf(), podOf());
  server.add(requestOf({ podName: 'other' }, 'request-2'), podOf({}));
  await answered('req-request-1');
  await until(() => server.bundles.length > 0 && server.events.length > 0 && caBundle());
  // It releases its lease.
  signer.stop();
  await signer.ended;
  expect([...server.calls].sort()).toEqual([
    'create events',
    'create leases',
    'get leases',
    'get mutatingwebhookconfigurations',
    'get namespaces',
    'get pods',
    'list namespaces',
    'list podcertificaterequests',
    'list pods',
    'patch clustertrustbundles',
    'patch mutatingwebhookconfigurations',
    'update leases',
    'update podcertificaterequests/status',
    'watch podcertificaterequests',
  ]);
});

test('hands over to the next replica when it is told to stop', async () => {
  const first = startSigner();
  await until(() => server.leader);
  const second = startSigner();
  expect(await until(async () => (await second.get('/readyz')).status === 200)).toBe(true);
  first.stop();
  await first.ended;
  expect(server.leader).toBe('');
  server.add(requestOf(), podOf());
  await answered('req-request-1');
  // The line follows the status.
  await until(() => second.lines.some(({ message }) => message === 'certificate issued'));
});

test('on a cluster without pod certificates it leads all the same, and keeps the caBundle', async () => {
  server.podCertificates = false;
  server.webhookConfiguration = emptyConfiguration();
  const { get, lines } = startSigner({ webhookConfiguration: 'autocert' });
  await until(() => lines.some(({ message }) => message.startsWith('no native delivery')));
  expect(Buffer.from(await until(caBundle), 'base64').toString()).toBe(ca.pki.rootPem);
  expect(await get('/readyz')).toEqual({ status: 200, text: 'ok\n' });
  expect((await get('/healthz')).status).toBe(200);
  expect((await get('/nothing')).status).toBe(404);
  await until(async () => (await get('/metrics')).text.includes('autocert_signer_ca_bundle_current 1'));
});

test('before the API server has answered it is not ready', async () => {
  server.failing = true;
  const { get, lines } = startSigner();
  await until(() => lines.some(({ message }) => message === 'cannot read or write the lease'));
  expect(await get('/readyz')).toEqual({ status: 503, text: 'waiting for the API server\n' });
});

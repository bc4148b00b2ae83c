import { X509Certificate } from 'node:crypto';
import { Secret } from '../../../runtime/lib/secret.ts';
import { type InitJobOptions, runInitJob } from '../../../runtime/pki/init-in-cluster.ts';
import { createPki } from '../../../runtime/pki/pki.ts';
import { type JwkProvisioner, TokenSigner } from '../../../runtime/step-ca/one-time-token.ts';
import { verifyChain } from '../../../runtime/x509/certificate.ts';
import { openKey } from '../../../runtime/x509/private-key.ts';
import { ObjectStore } from '../../support/object-store.ts';

const SECRETS = '/api/v1/namespaces/step/secrets';
const CERTIFICATES = '/api/v1/namespaces/step/configmaps/ca-certs';
const WEBHOOK = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/autocert';
const ORDER = ['ca-password', 'autocert-password', 'ca-root-key', 'ca-intermediate-key', 'ca-certs', 'ca-provisioners'];

let store: ObjectStore;
let logged: string[];
beforeEach(() => {
  store = new ObjectStore();
  logged = [];
});

const run = (options: Partial<InitJobOptions> = {}) => {
  const note = (fields: object, message: string) => void logged.push(`${message} ${JSON.stringify(fields)}`);
  const { signal } = new AbortController();
  return runInitJob(store, { namespace: 'step', log: { info: note, warn: note, error: note }, signal, ...options });
};

const secret = (name: string, file: string) => {
  const { data } = store.objects.get(`${SECRETS}/${name}`) as { data: Record<string, string> };
  return Buffer.from(data[file] ?? '', 'base64').toString();
};

const certificates = () => (store.objects.get(CERTIFICATES) as { data: Record<string, string> }).data;

const applyWebhook = (caBundle?: string) =>
  store.objects.set(WEBHOOK, { webhooks: [{ name: 'autocert.step.sm', clientConfig: caBundle ? { caBundle } : {} }] });

const nameOfPath = (path: string) => path.slice(path.lastIndexOf('/') + 1);

async function expectUsablePki(): Promise<void> {
  const caPassword = new Secret(secret('ca-password', 'password'));
  const { 'root_ca.crt': root = '', 'intermediate_ca.crt': intermediate = '' } = certificates();
  openKey(new Secret(secret('ca-root-key', 'root_ca_key')), caPassword, 'root');
  openKey(new Secret(secret('ca-intermediate-key', 'intermediate_ca_key')), caPassword, 'intermediate');
  expect(() => verifyChain([intermediate], [root], new Date())).toThrow('is a CA certificate where a leaf is wanted');
  const provisioners: JwkProvisioner[] = JSON.parse(secret('ca-provisioners', 'provisioners.json'));
  const [admin, autocert] = provisioners;
  if (!admin || !autocert) throw new Error('two provisioners are wanted');
  await TokenSigner.open(admin, caPassword);
  await TokenSigner.open(autocert, new Secret(secret('autocert-password', 'password')));
}

describe('in an empty namespace', () => {
  test('the whole PKI is made, each object before those that need it', async () => {
    const report = await run();
    expect(store.writes.map(({ path }) => nameOfPath(path))).toEqual(ORDER);
    expect(report).toMatchObject({
      created: expect.arrayContaining(['configmap/ca-certs']),
      kept: [],
      caBundle: 'none',
    });
    await expectUsablePki();
  });

  test('keys are encrypted, and passwords have 32 letters and digits', async () => {
    await run();
    expect(secret('ca-root-key', 'root_ca_key')).toContain('BEGIN ENCRYPTED PRIVATE KEY');
    expect(secret('ca-intermediate-key', 'intermediate_ca_key')).toContain('BEGIN ENCRYPTED PRIVATE KEY');
    expect(secret('ca-password', 'password')).toMatch(/^[A-Za-z0-9]{32}$/);
    expect(secret('autocert-password', 'password')).not.toBe(secret('ca-password', 'password'));
  });

  test('the fingerprint is logged, and how to read the passwords; the passwords are not', async () => {
    const { fingerprints } = await run();
    const log = logged.join('\n');
    expect(log).toContain(fingerprints[0]);
    expect(log).toContain('kubectl -n step get secret ca-password');
    expect(log).not.toContain(secret('ca-password', 'password'));
    expect(log).not.toContain(secret('autocert-password', 'password'));
    expect(log).not.toContain('PRIVATE KEY');
  });
});

describe('run again', () => {
  test('it changes nothing', async () => {
    await run();
    const before = structuredClone(store.objects);
    const report = await run();
    expect(store.objects).toEqual(before);
    expect(store.writes).toHaveLength(6);
    expect(report.created).toEqual([]);
  });

  test.each([0, 1, 2, 3, 4, 5])('after it was killed at write %d, it completes the PKI', async (fatal) => {
    let count = 0;
    store.beforeWrite = () => {
      if (count++ === fatal) throw new Error('killed');
    };
    await expect(run()).rejects.toThrow('killed');
    const before = structuredClone(store.objects);
    store.beforeWrite = () => {};
    await run();
    for (const [path, object] of before) expect(store.objects.get(path)).toEqual(object);
    await expectUsablePki();
  });

  test('at the same time, both end with the same PKI', async () => {
    const reports = await Promise.all([run(), run(), run()]);
    expect(new Set(reports.map(({ fingerprints }) => fingerprints[0])).size).toBe(1);
    expect(store.writes).toHaveLength(6);
    await expectUsablePki();
  });

  test("after the root's key was taken out of the cluster, it goes on without", async () => {
    await run();
    store.objects.delete(`${SECRETS}/ca-root-key`);
    await run();
    expect(store.objects.has(`${SECRETS}/ca-root-key`)).toBe(false);
  });
});

test('certificates that were lost are made again, of the same keys: what trusts the old root trusts the new one', async () => {
  await run();
  const { 'root_ca.crt': old = '' } = certificates();
  store.objects.delete(CERTIFICATES);
  await run();
  const issued = new X509Certificate(certificates()['intermediate_ca.crt'] ?? '');
  expect(issued.checkIssued(new X509Certificate(old)) && issued.verify(new X509Certificate(old).publicKey)).toBe(true);
  await expectUsablePki();
});

describe('what does not fit together is said, and left alone:', () => {
  test.each([
    ['ca-password', 'secret/ca-password is missing, but secret/ca-intermediate-key'],
    ['autocert-password', 'secret/autocert-password is missing, but secret/ca-provisioners, made with it, exists'],
    ['ca-intermediate-key', 'secret/ca-intermediate-key is missing, but configmap/ca-certs, made with it, exists'],
  ])('%s was deleted', async (name, message) => {
    await run();
    store.objects.delete(`${SECRETS}/${name}`);
    // the root's key needs the password too
    store.objects.delete(`${SECRETS}/ca-root-key`);
    const before = structuredClone(store.objects);
    await expect(run()).rejects.toMatchObject({ code: 'INVALID_CONFIG', message: expect.stringContaining(message) });
    expect(store.objects).toEqual(before);
  });

  test('the certificates were lost, and the key of the root is elsewhere: no other root takes its place', async () => {
    await run();
    store.objects.delete(CERTIFICATES);
    store.objects.delete(`${SECRETS}/ca-root-key`);
    const before = structuredClone(store.objects);
    await expect(run()).rejects.toMatchObject({
      code: 'INVALID_CONFIG',
      message: expect.stringContaining(
        'configmap/ca-certs is missing, and so is secret/ca-root-key, by which it could be made again',
      ),
    });
    expect(store.objects).toEqual(before);
  });

  test('a password was changed', async () => {
    await run();
    store.objects.set(`${SECRETS}/ca-password`, { data: { password: Buffer.from('other').toString('base64') } });
    await expect(run()).rejects.toMatchObject({
      code: 'WRONG_PASSWORD',
      message: 'the password does not open secret/ca-intermediate-key',
    });
  });

  test("the provisioner's password was changed", async () => {
    await run();
    store.objects.set(`${SECRETS}/autocert-password`, { data: { password: Buffer.from('other').toString('base64') } });
    await expect(run()).rejects.toMatchObject({
      code: 'INVALID_CONFIG',
      message: expect.stringContaining('secret/autocert-password and secret/ca-provisioners do not belong together'),
    });
  });

  test('the certificates are of another PKI', async () => {
    await run();
    const { rootPem, intermediatePem } = await createPki('Other');
    store.objects.set(CERTIFICATES, { data: { 'root_ca.crt': rootPem, 'intermediate_ca.crt': intermediatePem } });
    await expect(run()).rejects.toMatchObject({
      code: 'INVALID_CONFIG',
      message: expect.stringContaining('the key is not that of the intermediate certificate'),
    });
  });

  test('an object has lost a file', async () => {
    await run();
    store.objects.set(`${SECRETS}/ca-password`, { data: {} });
    await expect(run()).rejects.toMatchObject({
      code: 'INVALID_CONFIG',
      message: expect.stringContaining('secret/ca-password in namespace step has no password'),
    });
  });
});

describe("the webhook's caBundle", () => {
  const rootBase64 = () => Buffer.from(certificates()['root_ca.crt'] ?? '').toString('base64');

  test('becomes the root, by server-side apply of this field alone', async () => {
    applyWebhook();
    const { caBundle } = await run({ webhook: 'autocert' });
    expect(caBundle).toBe('set');
    expect(store.writes.at(-1)).toMatchObject({
      method: 'apply',
      path: WEBHOOK,
      fieldManager: 'autocert-init',
      body: { webhooks: [{ name: 'autocert.step.sm', clientConfig: { caBundle: rootBase64() } }] },
    });
  });

  test('is not written again when it is current', async () => {
    await run();
    applyWebhook(rootBase64());
    expect(await run({ webhook: 'autocert' })).toMatchObject({ caBundle: 'current' });
    expect(store.writes).toHaveLength(6);
  });

  test('is set when the webhook is applied after the Job', async () => {
    const running = run({ webhook: 'autocert', pollMs: 1 });
    while (!logged.some((line) => line.startsWith('waiting for the webhook'))) await new Promise(setImmediate);
    applyWebhook();
    expect(await running).toMatchObject({ caBundle: 'set' });
  });

  test('is asked for again by a failure when the webhook is never applied', async () => {
    await expect(run({ webhook: 'autocert', webhookWaitMs: 5, pollMs: 1 })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('MutatingWebhookConfiguration autocert is not there'),
    });
    await expectUsablePki();
  });

  test("is not put into somebody else's webhook", async () => {
    store.objects.set(WEBHOOK, { webhooks: [{ name: 'other.example' }] });
    await expect(run({ webhook: 'autocert' })).rejects.toMatchObject({
      message: 'MutatingWebhookConfiguration autocert has no webhook named autocert.step.sm',
    });
  });
});

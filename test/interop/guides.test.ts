/**
 * Commands of the guides that take no more of a cluster than its API: typed as they are printed, by real kubectl, `step` and
 * `autocert`, into a real API server in which nothing runs. What they print is compared with what the page shows.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ALLOW_DELETION } from '../../runtime/contract.ts';
import { isIssuedByPem } from '../../runtime/x509/certificate.ts';
import { Kubectl } from '../../scripts/cluster/kubectl.ts';
import { KUBERNETES_BIN } from '../../scripts/cluster/settings.ts';
import { run, waitFor } from '../../scripts/cluster/shell.ts';
import { ROOT } from '../../scripts/project-files.ts';
import { autocert } from '../e2e/autocert.ts';
import { type TypingOptions, Typist, type TypistContext } from '../e2e/typist.ts';
import { ApiServer } from '../support/api-server.ts';
import { agentPod } from '../support/pki-world.ts';
import { KUBERNETES_BUILD_TIMEOUT_MS, program } from '../support/programs.ts';

const SELF = 'test/interop/guides.test.ts';
const ALLOWED = `${ALLOW_DELETION}=true`;
const PASSPHRASE = 'correct horse battery staple';

let server: ApiServer;
let scratch: string;
let kubectl: Kubectl;
let context: TypistContext;
beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'autocert-guides-'));
  const step = await program('step');
  server = await ApiServer.start({ 'disable-admission-plugins': 'ServiceAccount' }); // nobody makes accounts here
  symlinkSync(join(ROOT, 'dist'), join(scratch, 'dist'));
  kubectl = new Kubectl([join(KUBERNETES_BIN, 'kubectl'), `--kubeconfig=${server.kubeconfig}`]);
  context = { kubectl, scratch, step, inNetwork: (argv) => [...argv] };
}, KUBERNETES_BUILD_TIMEOUT_MS);
afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  rmSync(scratch, { recursive: true, force: true });
});

const type = (page: string, part: string, options: TypingOptions = {}, where = context) =>
  new Typist(where, page).type(SELF, part, options);
const follow = (page: string, part: string) => new Typist(context, page).follow(SELF, part);
const answers = (count: number) => ({ answers: Array.from({ length: count }, () => PASSPHRASE) });

/** Deletes a namespace with what is in it, as the controllers would that are not there. */
async function removeNamespace(name: string): Promise<void> {
  const all = ['-n', name, 'get', 'secrets,configmaps', '-o', 'name'];
  const objects = (await kubectl.run(all)).trim().split('\n');
  await kubectl.run(['-n', name, 'annotate', '--overwrite', ...objects, ALLOWED]);
  await kubectl.run(['-n', name, 'delete', ...objects]);
  await kubectl.run(['annotate', '--overwrite', 'namespace', name, ALLOWED]);
  await kubectl.run(['delete', 'namespace', name, '--wait=false']);
  const { body } = await server.get(`/api/v1/namespaces/${name}`);
  await server.send('PUT', `/api/v1/namespaces/${name}/finalize`, { ...body, spec: { finalizers: [] } });
}

test('docs/constructs.md: a PKI from a folder, as Secrets', async () => {
  await type('docs/constructs.md', 'secrets');
  const secrets = await kubectl.run(['-n', 'step', 'get', 'secrets', '-o', 'name']);
  expect(secrets.trim().split('\n')).toHaveLength(4);
  await removeNamespace('step');
}, 300_000);

describe('docs/install.md and docs/cli.md', () => {
  test('a dry run', async () => {
    const [said = ''] = await type('docs/install.md', 'dry run');
    expect(said).toMatch(/to create/);
    await type('docs/cli.md', 'dry run');
  }, 300_000);

  test('the manifests applied', async () => {
    await type('docs/install.md', 'applied');
    await kubectl.run(['-n', 'step', 'get', 'deployment', 'autocert']);
  }, 300_000);
});

describe('the life of a PKI', () => {
  beforeAll(async () => {
    await autocert(context, ['pki', 'init']);
    await kubectl.run(['create', 'namespace', 'shop']);
    await kubectl.apply([deployment('web')]);
  }, 300_000);

  test('docs/backup.md: a backup, opened by step, and restored where nothing is left', async () => {
    await type('docs/backup.md', 'saved', answers(2));
    const [opened = ''] = await type('docs/backup.md', 'opened', answers(1));
    expect(opened.match(/ (?:unchanged|configured)$/gm)).toHaveLength(6);
    await removeNamespace('step');
    await type('docs/backup.md', 'restored', answers(1));
  }, 300_000);

  test('docs/backup.md: restored by force, where a new PKI was made meanwhile', async () => {
    await removeNamespace('step');
    await kubectl.run(['create', 'namespace', 'step']);
    await autocert(context, ['pki', 'init']);
    const [said = ''] = await type('docs/backup.md', 'by force', answers(1));
    expect(said).toMatch(/^secret\/ca-root-key: replaced$/m);
  }, 300_000);

  test('docs/pki-secrets.md: new passwords', async () => {
    await type('docs/pki-secrets.md', 'password');
    // What the command waits for is kubelet, which is not there.
    const soon = { 'pki provisioner': 'pki provisioner --wait 1s', '120 s': '1 s' };
    await type('docs/pki-secrets.md', 'provisioner', { inPlaceOf: soon });
  }, 300_000);

  test('docs/pki.md: the state, and the root replaced', async () => {
    const roots = await rootsOf();
    for (const pod of ['cart-7d9c5b5c4-x2x7p', 'ledger-0']) await kubectl.apply([runnable(agentPod(pod, [roots]))]);
    await type('docs/pki.md', 'status');
    await type('docs/pki.md', 'announced');
    await type('docs/pki.md', 'switched');
    await type('docs/pki.md', 'not yet', { codes: [1] });
    await type('docs/pki.md', 'retired');
  }, 300_000);

  test("docs/pki.md: the root's key taken away, an intermediate of it, and another password", async () => {
    await type('docs/pki.md', 'root key away', answers(2));
    const secret = ['secret', 'ca-intermediate-key'];
    await kubectl.run(['-n', 'step', 'annotate', ...secret, ALLOWED]);
    await kubectl.run(['-n', 'step', 'delete', ...secret]);
    await type('docs/pki.md', 'intermediate');
    await type('docs/pki-secrets.md', 'root key elsewhere');
  }, 300_000);
});

describe('docs/cli.md and other pages', () => {
  const annotations = { 'autocert.step.sm/name': 'web.shop.svc' };
  beforeAll(async () => {
    await kubectl.run(['apply', '-f', join(ROOT, 'dist/0001-autocert.k8s.yaml')]); // the rest went with its namespace
  }, 300_000);

  test('status, doctor and the dashboard', async () => {
    const [said = ''] = await type('docs/cli.md', 'status');
    expect(said.match(/^Autocert in namespace step$/gm)).toHaveLength(2);
    await follow('docs/cli.md', 'watched');
    await type('docs/cli.md', 'elsewhere', { codes: [1] });
    await follow('docs/dashboard.md', 'page');
  }, 300_000);

  test('explain', async () => {
    await kubectl.apply([deployment('web', annotations), pod('default', 'web-0')]);
    await kubectl.run(['label', 'namespace', 'default', 'shop', 'autocert.step.sm=enabled']);
    writeFileSync(join(scratch, 'guide/web.yaml'), JSON.stringify(pod('shop', 'web')));
    const [said = ''] = await type('docs/cli.md', 'explained');
    for (const one of [
      'deployment/web in namespace shop',
      'pod/web-0 in namespace default',
      'pod/web in namespace shop',
    ]) {
      expect(said).toContain(`${one}: injected\n`);
    }
    expect(said).toMatch(/^\+.*autocert-certs/m);
  }, 300_000);

  test('docs/how-it-works.md: certificates renewed', async () => {
    await type('docs/how-it-works.md', 'renew');
  }, 300_000);

  test('docs/constructs.md: what a signer left behind; docs/uninstall.md: Autocert itself', async () => {
    await type('docs/constructs.md', 'no signer');
    await type('docs/uninstall.md', 'uninstalled');
    await kubectl.run(['-n', 'step', 'get', 'secret', 'ca-intermediate-key']);
    const webhook = await kubectl.try(['-n', 'step', 'get', 'deployment', 'autocert']);
    expect(webhook.stderr).toContain('NotFound');
  }, 300_000);
});

test('docs/migration.md: an intermediate below the root of before, and namespaces that move', async () => {
  await removeNamespace('step');
  await kubectl.run(['create', 'namespace', 'step']);
  const own = { ...context, scratch: join(scratch, 'migration') };
  await original(own);
  symlinkSync(join(ROOT, 'dist'), join(own.scratch, 'dist'));
  await type('docs/migration.md', 'intermediate', {}, own);
  const read = (file: string) => readFileSync(join(own.scratch, 'guide/pki/certs', file), 'utf8');
  expect(isIssuedByPem(read('intermediate_ca.crt'), read('root_ca.crt'))).toBe(true);
  await type('docs/migration.md', 'secrets', {}, own);
  const secrets = await kubectl.run(['-n', 'tls', 'get', 'secrets', '-o', 'name']);
  expect(secrets.trim().split('\n')).toHaveLength(4);
  const [explained = ''] = await type('docs/migration.md', 'explained', {}, own);
  expect(explained).toMatch(/deployment\/web in namespace shop/i);
  await type('docs/migration.md', 'moved', {}, own);
  await nextSecond(); // kubectl restarts nothing twice in one
  await type('docs/migration.md', 'moved back', {}, own);
}, 300_000);

function nextSecond(): Promise<boolean> {
  const second = () => Math.floor(Date.now() / 1000);
  const now = second();
  return waitFor('the next second', async () => second() > now);
}

/** The PKI of the Go original, as its init leaves it. */
async function original({ scratch, step }: typeof context): Promise<void> {
  mkdirSync(scratch);
  const at = (name: string) => join(scratch, name);
  writeFileSync(at('password'), PASSPHRASE);
  const files = [at('root_ca.crt'), at('root_ca_key')];
  const lasts = ['--profile', 'root-ca', '--not-after', '87600h', '--password-file', at('password')];
  await run([step, 'certificate', 'create', 'Original Root CA', ...files, ...lasts]);
  const from = (file: string) => `--from-file=${file}=${at(file)}`;
  await kubectl.run(['-n', 'step', 'create', 'configmap', 'certs', from('root_ca.crt')]);
  await kubectl.run(['-n', 'step', 'create', 'configmap', 'secrets', from('root_ca_key')]);
  await kubectl.run(['-n', 'step', 'create', 'secret', 'generic', 'ca-password', from('password')]);
}

function rootsOf(): Promise<string> {
  return kubectl.run(['-n', 'step', 'get', 'configmap', 'ca-certs', '-o', 'jsonpath={.data.root_ca\\.crt}']);
}

/** A pod as the API server takes it. */
function runnable({ metadata, spec }: ReturnType<typeof agentPod>): object {
  const withImage = (container: object) => ({ ...container, image: 'app' });
  const containers = spec?.containers.map(withImage);
  const initContainers = spec?.initContainers?.map(withImage);
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec: { containers, initContainers } };
}

function pod(namespace: string, name: string): object {
  const annotations = { 'autocert.step.sm/name': `${name}.${namespace}.svc` };
  const spec = { containers: [{ name, image: name }] };
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace, annotations }, spec };
}

function deployment(name: string, annotations: object = {}): object {
  const labels = { app: name };
  const template = { metadata: { labels, annotations }, spec: { containers: [{ name, image: name }] } };
  const spec = { selector: { matchLabels: labels }, template };
  return { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name, namespace: 'shop' }, spec };
}

/** The flags of kubectl, in every command that asks a cluster. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildProgram } from '../../../runtime/cli/program.ts';

const asked: { readonly token: string | undefined; readonly url: string | undefined }[] = [];
const server = createServer((request, response) => {
  asked.push({ token: request.headers.authorization, url: request.url });
  response.writeHead(403).end(JSON.stringify({ kind: 'Status', reason: 'Forbidden', message: 'not you' }));
});
let folder: string;
let kubeconfig: string;

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  folder = mkdtempSync(join(tmpdir(), 'flags-'));
  kubeconfig = join(folder, 'config');
  const { port } = server.address() as AddressInfo;
  const context = (name: string) => ({ name, context: { cluster: name, user: name, namespace: 'shop' } });
  const config = {
    clusters: [
      { name: 'here', cluster: { server: `http://127.0.0.1:${port}` } },
      { name: 'nowhere', cluster: { server: 'http://127.0.0.1:1' } },
    ],
    users: ['here', 'nowhere'].map((name) => ({ name, user: { token: `token-of-${name}` } })),
    contexts: ['here', 'nowhere'].map(context),
    'current-context': 'nowhere',
  };
  writeFileSync(kubeconfig, JSON.stringify(config));
  writeFileSync(join(folder, 'phrase'), 'correct horse battery staple\n');
});
afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true });
});
beforeEach(() => {
  asked.length = 0;
});
afterEach(() => {
  process.exitCode = undefined; // commands set it
});

const PKI = [
  ['pki', 'create'],
  ['pki', 'upkeep'],
  ['pki', 'init'],
  ['pki', 'status'],
  ['pki', 'intermediate'],
];
const ROTATION = ['announce', 'switch', 'retire', 'abort'].map((step) => ['pki', 'rotate', step]);

test.each([
  ...[...PKI, ...ROTATION, ['pki', 'password'], ['pki', 'provisioner']].map((words) => [
    words.join(' '),
    [...words, '-n', 'other'],
  ]),
  ['pki backup', ['pki', 'backup', '--out', '-', '-n', 'other', '--plain']],
  ['renew', ['renew', '-n', 'other']],
  ['explain', ['explain', 'pod/x', '--autocert-namespace', 'other']],
  ['status', ['status', '-n', 'other']],
  ['dashboard', ['dashboard', '-n', 'other', '--port', '0']],
  ['install', ['install', '--dry-run', '--dir', 'dist']],
  ['uninstall', ['uninstall', '--autocert-namespace', 'other']],
] as [string, string[]][])('%s asks the cluster that --kubeconfig and --context name', async (_, words) => {
  const flags = ['--kubeconfig', kubeconfig, '--context', 'here'];
  const run = buildProgram().parseAsync(['node', 'autocert', ...words, ...flags]);
  await expect(run).rejects.toMatchObject({ code: 'FORBIDDEN' });
  expect(new Set(asked.map(({ token }) => token))).toEqual(new Set(['Bearer token-of-here']));
  if (words.includes('other')) expect(asked.map(({ url }) => url).join()).toContain('/namespaces/other');
});

test('a context that is not there is named', async () => {
  const words = ['pki', 'status', '--kubeconfig', kubeconfig, '--context', 'elsewhere'];
  await expect(buildProgram().parseAsync(['node', 'autocert', ...words])).rejects.toMatchObject({
    code: 'INVALID_CONFIG',
  });
  expect(asked).toEqual([]);
});

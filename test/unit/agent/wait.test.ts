import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { waitForFiles } from '../../../runtime/agent/wait.ts';
import { replaceCertificateFiles } from '../../../runtime/agent/certificate-files.ts';
import { Secret } from '../../../runtime/lib/secret.ts';
import { agentFolder, setOf } from '../../support/agent.ts';
import { issue } from '../../support/tiny-ca.ts';

const root = issue('Test Root CA', { ca: true });
let folder: ReturnType<typeof agentFolder>;
beforeEach(() => {
  folder = agentFolder();
});
afterEach(() => folder[Symbol.dispose]());

const LONG = 20_000;
const SHORT = 50;

test('returns at once when a good set is there', async () => {
  replaceCertificateFiles(folder.dir, setOf(root), 0o644);
  expect(await waitForFiles(folder.dir, LONG)).toBeUndefined();
});

test('returns as soon as the set is written', async () => {
  const waiting = waitForFiles(folder.dir, LONG);
  replaceCertificateFiles(folder.dir, setOf(root), 0o600);
  expect(await waiting).toBeUndefined();
});

test('waits on while the set is no good, until a good one replaces it', async () => {
  replaceCertificateFiles(folder.dir, setOf(root, { notAfter: new Date(Date.now() - 1_000) }), 0o644);
  const waiting = waitForFiles(folder.dir, LONG);
  replaceCertificateFiles(folder.dir, setOf(root), 0o644);
  expect(await waiting).toBeUndefined();
});

test.each([
  ['nothing is there', () => undefined, 'there are no files yet'],
  [
    'the certificate has expired',
    (dir: string) => replaceCertificateFiles(dir, setOf(root, { notAfter: new Date(Date.now() - 1_000) }), 0o644),
    'expired at',
  ],
  [
    'the certificate is for another key',
    (dir: string) => replaceCertificateFiles(dir, { ...setOf(root), key: new Secret(root.keyPem) }, 0o644),
    'the certificate is for another key',
  ],
  [
    'a file is missing',
    (dir: string) => {
      replaceCertificateFiles(dir, setOf(root), 0o644);
      rmSync(join(dir, '..data', 'root.crt'));
    },
    'there are no files yet',
  ],
  [
    'the root is another one',
    (dir: string) => {
      const roots = issue('Other Root', { ca: true }).certificatePem;
      replaceCertificateFiles(dir, { ...setOf(root), roots }, 0o644);
    },
    'issued by none of the pinned roots',
  ],
])('gives up after the timeout and says so when %s', async (_, arrange, problem) => {
  arrange(folder.dir);
  expect(await waitForFiles(folder.dir, SHORT)).toContain(problem);
});

test('a folder that does not exist is waited for too', async () => {
  expect(await waitForFiles(join(folder.dir, 'missing'), SHORT)).toBe('there are no files yet');
});

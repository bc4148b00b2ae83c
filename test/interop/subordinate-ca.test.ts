import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { App, Chart } from 'cdk8s';
import { AutocertWebhook, Pki, StepCa } from '../../constructs/index.ts';
import { Secret } from '../../runtime/lib/secret.ts';
import { isIssuedByPem, isKeyOf } from '../../runtime/x509/certificate.ts';
import { openKey } from '../../runtime/x509/private-key.ts';
import { ROOT } from '../../scripts/project-files.ts';
import { blocksOf } from '../e2e/guide.ts';
import { BUILD_TIMEOUT_MS, program } from '../support/programs.ts';

const PAGE = 'docs/subordinate-ca.md';
const run = promisify(execFile);

let folder: string;
let path: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'autocert-subordinate-'));
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  const autocert = `#!/bin/sh\nexec '${process.execPath}' '${join(ROOT, 'runtime/cli/main.ts')}' "$@"\n`;
  writeFileSync(join(bin, 'autocert'), autocert, { mode: 0o755 });
  symlinkSync(await program('step'), join(bin, 'step'));
  path = [bin, process.env.PATH].join(delimiter);
}, BUILD_TIMEOUT_MS);
afterAll(() => rmSync(folder, { recursive: true }));

/** Types commands in the folder, as one does. */
const type = (script: string) =>
  run('sh', ['-ec', script], { cwd: folder, env: { ...process.env, PATH: path, NODE_OPTIONS: '' } });
const read = (file: string) => readFileSync(join(folder, file), 'utf8');

test(`the commands of ${PAGE} make an intermediate of one's own root, and the constructs take it`, async () => {
  await type(
    'step certificate create Root root_ca.crt root_ca_key --profile root-ca --no-password --insecure --not-after 87600h',
  );

  const typed = blocksOf(readFileSync(join(ROOT, PAGE), 'utf8')).filter(({ typedBy }) => typedBy !== undefined);
  expect(typed).toHaveLength(3);
  for (const { text } of typed) await type(text);

  const [rootCertificate, intermediateCertificate] = [read('root_ca.crt'), read('intermediate_ca.crt')];
  expect(isIssuedByPem(intermediateCertificate, rootCertificate)).toBe(true);
  const password = new Secret(read('pki/secrets/ca_password').trim());
  const key = openKey(new Secret(read('pki/secrets/intermediate_ca_key')), password, 'intermediate_ca_key');
  expect(isKeyOf(key, intermediateCertificate)).toBe(true);

  const chart = new Chart(new App(), 'chart');
  const ca = new StepCa(chart, 'ca', { pki: Pki.existing({ rootCertificate, intermediateCertificate }) });
  new AutocertWebhook(chart, 'autocert', { ca });
  expect(JSON.stringify(chart.toJson())).toContain(intermediateCertificate.trim().split('\n')[1]);
}, 60_000);

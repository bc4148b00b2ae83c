/**
 * zlint: our certificates keep the RFCs, and of the CA/Browser Forum's rules they break none but those that only a CA
 * of the public web can keep, which real step-ca's own certificates break too.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BUILD_TIMEOUT_MS, output, program } from '../support/programs.ts';
import { CAS, type RunningCa } from '../support/running-ca.ts';

const RFCS = 'RFC3279,RFC5280,RFC5480,RFC5891,RFC8813';
const PUBLIC_CAS_ONLY = /polic(y|ies)|_aia_|crl_distribution_points|ca_country_name/;

let zlint: string;
beforeAll(async () => {
  zlint = await program('zlint');
  await program('step');
  await program('step-ca');
}, BUILD_TIMEOUT_MS);

/** Lints of these sources that end in an error. */
async function errorsOf(file: string, sources: string): Promise<string[]> {
  const { code, stdout, stderr } = await output(zlint, ['-includeSources', sources, file]);
  if (code !== 0) throw new Error(stderr);
  const results = Object.entries(JSON.parse(stdout) as Record<string, { result: string }>);
  if (results.length === 0) throw new Error(`zlint checked nothing of ${sources}`);
  return results.filter(([, { result }]) => result === 'error' || result === 'fatal').map(([lint]) => lint);
}

/** Of a PKI that real step made: its root, its intermediate, and a leaf. */
async function stepsOwn(dir: string): Promise<Record<string, string>> {
  const step = await program('step');
  const at = (file: string) => join(dir, file);
  const run = async (...args: string[]) => {
    const { code, stderr } = await output(step, args, { STEPPATH: dir, HOME: dir });
    if (code !== 0) throw new Error(stderr);
  };
  writeFileSync(at('password'), 'password');
  const passwords = ['--password-file', at('password'), '--provisioner-password-file', at('password')];
  const names = ['--name', 'Step', '--provisioner', 'admin', '--dns', 'localhost', '--address', ':0'];
  await run('ca', 'init', '--deployment-type', 'standalone', ...names, ...passwords);
  const signer = ['--ca', at('certs/intermediate_ca.crt'), '--ca-key', at('secrets/intermediate_ca_key')];
  const leaf = [
    'certificate',
    'create',
    'web.shop.svc',
    at('leaf.crt'),
    at('leaf.key'),
    '--profile',
    'leaf',
    ...signer,
  ];
  await run(...leaf, '--ca-password-file', at('password'), '--no-password', '--insecure');
  return { root: at('certs/root_ca.crt'), intermediate: at('certs/intermediate_ca.crt'), leaf: at('leaf.crt') };
}

describe.each(CAS)('with %s', (_name, start) => {
  let ca: RunningCa;
  let own: string;
  let leaf: string;
  let long: string;
  let ours: Record<string, string>;
  let steps: Record<string, string>;
  beforeAll(async () => {
    ca = await start();
    own = mkdtempSync(join(tmpdir(), 'autocert-zlint-'));
    steps = await stepsOwn(own);
    const issue = async (file: string, names: string[]) => {
      writeFileSync(join(own, file), (await ca.issue(names)).chainPem[0] ?? '');
      return join(own, file);
    };
    // No public CA may certify a cluster's own names: the Forum's rules are tried on a leaf with a name of the web.
    leaf = await issue('leaf-of-a-pod.crt', ['web.shop.svc', '10.0.0.1', 'spiffe://example.org/web']);
    long = await issue('leaf-without-subject.crt', [`${'n'.repeat(60)}.${'s'.repeat(30)}.svc.test`]);
    ours = {
      root: ca.files.rootFile,
      intermediate: ca.files.intermediateFile,
      leaf: await issue('leaf-of-the-web.crt', ['web.example.com']),
    };
  });
  afterAll(async () => {
    await ca.stop();
    rmSync(own, { recursive: true });
  });

  test.each(['root', 'intermediate', 'leaf'])('the %s keeps the RFCs', async (kind) => {
    expect(await errorsOf(ours[kind] ?? '', RFCS)).toEqual([]);
  });

  test("a pod's leaf, with names of every kind, keeps the RFCs", async () => {
    expect(await errorsOf(leaf, RFCS)).toEqual([]);
  });

  test("a pod's leaf with a name that is too long for a common name keeps the RFCs", async () => {
    expect(await errorsOf(long, RFCS)).toEqual([]);
  });

  test.each(['root', 'intermediate', 'leaf'])(
    'the %s breaks only rules for public CAs, as that of step does',
    async (kind) => {
      const broken = await errorsOf(ours[kind] ?? '', 'CABF_BR');
      expect(broken.filter((lint) => !PUBLIC_CAS_ONLY.test(lint))).toEqual([]);
      const brokenByStep = await errorsOf(steps[kind] ?? '', 'CABF_BR');
      expect(broken.filter((lint) => !brokenByStep.includes(lint))).toEqual([]);
    },
  );
});

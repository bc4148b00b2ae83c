import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { publint } from 'publint';
import packageJson from '../../package.json' with { type: 'json' };
import { kubeconfig as kubeconfigOf } from '../../runtime/kubernetes/kubeconfig.ts';
import { pack } from '../support/pack.ts';

const ROOT = join(import.meta.dirname, '../..');
const run = promisify(execFile);

/** What an empty cdk8s app has installed besides us. */
const PEERS = Object.keys(packageJson.peerDependencies);

/** An app in TypeScript; `@ts-expect-error` proves that the types are there at all. */
const APP = `
import { App, Chart, Duration } from 'cdk8s';
import { AutocertNamespace, AutocertSigner, AutocertWebhook, Injector, StepCa } from 'cdk8s-autocert';
import type { AutocertSignerProps, ContainerImage, IAutocertWebhook, IStepCa, PolicyConfig } from 'cdk8s-autocert';
const app = new App();
const chart = new Chart(app, 'autocert');
const ca: IStepCa = new StepCa(chart, 'ca', { maxDuration: Duration.days(7) });
const injector = Injector.webhook({ replicas: 3, timeout: Duration.seconds(3) });
const webhook: IAutocertWebhook = new AutocertWebhook(chart, 'autocert', { ca, injector, signer: { renewAt: 0.5 } });
new AutocertNamespace(chart, 'shop', { webhook, name: 'shop', allowedNames: ['*.shop.example.com'] });
// Whatever a public type names is public, too.
const image: ContainerImage = { image: 'autocert:x', imagePullPolicy: 'Always' };
const signer = (policy: () => PolicyConfig): AutocertSignerProps => ({ ca, policy, image });
type Signer = (props: AutocertSignerProps) => AutocertSigner;
// @ts-expect-error: a URL is a string
const url: number = ca.url;
// @ts-expect-error: an injector is no word
const word: Injector = 'policy';
process.stdout.write(app.synthYaml());
`;

describe('the packed tarball', () => {
  let folder: string;
  let app: string;
  let tarball: string;
  let packed: readonly string[];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'autocert-package-'));
    // Packed apart from the working copy, in whose build/ others may be at work.
    const source = join(folder, 'source');
    const { filename, paths } = await pack(source);
    tarball = join(source, filename);
    packed = paths;

    app = join(folder, 'app');
    const installed = join(app, 'node_modules/cdk8s-autocert');
    await mkdir(installed, { recursive: true });
    await run('tar', ['-xzf', tarball, '-C', installed, '--strip-components=1']);
    for (const name of [...PEERS, 'typescript', '@types']) {
      await symlink(join(ROOT, 'node_modules', name), join(app, 'node_modules', name));
    }
    await writeFile(join(app, 'package.json'), '{}');
    await writeFile(join(app, 'app.mts'), APP);
    await writeFile(join(app, 'app.cts'), APP);
  }, 120_000);

  afterAll(() => rm(folder, { recursive: true, force: true }));

  const node = (...args: string[]) =>
    run(process.execPath, args, { cwd: app, env: { ...process.env, NODE_OPTIONS: '' } });

  test('has the constructs, their types, the program and the manifests, and no source or test', () => {
    expect(packed).toEqual(
      expect.arrayContaining([
        'README.md',
        'LICENSE',
        'CHANGELOG.md',
        'SECURITY.md',
        'build/agent.cjs',
        'build/agent.sh',
        'build/autocert.cjs',
        'build/constructs.cjs',
        'build/THIRD_PARTY_LICENSES',
        'build/package/constructs/index.d.ts',
        'dist/0000-step-ca.k8s.yaml',
        'dist/Kustomization',
        'examples/kustomize-namespace/kustomization.yaml',
        'examples/kustomize-namespace/namespace/kustomization.yaml',
        'examples/sleep.yaml',
      ]),
    );
    const strange = packed.filter(
      (path) => !/^(build|dist|examples)\/|^(package\.json|README\.md|SECURITY\.md|LICENSE|CHANGELOG\.md)$/.test(path),
    );
    expect(strange).toEqual([]);
    const sources = packed.filter((path) => !path.startsWith('examples/') && /(?<!\.d)\.ts$/.test(path));
    expect(sources).toEqual([]);
  });

  test('is what publint wants of a package', async () => {
    const content = await readFile(tarball);
    const tarballContent = new Uint8Array(content).buffer;
    const { messages } = await publint({ pack: { tarball: tarballContent }, strict: true });
    expect(messages).toEqual([]);
  });

  test('has types that every kind of import finds, as attw tells', async () => {
    const result = await checkPackage(createPackageFromTarballData(new Uint8Array(await readFile(tarball))));
    expect(result).toMatchObject({ packageName: packageJson.name, types: { kind: 'included' }, problems: [] });
  });

  test('has constructs that carry no library of the programs', async () => {
    const code = await readFile(join(app, 'node_modules/cdk8s-autocert/build/constructs.cjs'), 'utf8');
    expect(code).not.toMatch(/node_modules\//);
    const types = packed.filter((path) => path.endsWith('.d.ts'));
    for (const path of types) {
      const text = await readFile(join(app, 'node_modules/cdk8s-autocert', path), 'utf8');
      expect([path, /from '(?!\.|node:|cdk8s|cdk8s-plus-27|constructs)[^']*'/.exec(text)]).toEqual([path, null]);
    }
  });

  test('needs nothing but its peers', async () => {
    const names = await readdir(join(app, 'node_modules'));
    expect(names.sort()).toEqual(['@types', 'cdk8s', 'cdk8s-autocert', 'cdk8s-plus-27', 'constructs', 'typescript']);
    expect(packageJson).not.toHaveProperty('dependencies');
  });

  test.each(['import', 'require'])('synthesizes in an empty cdk8s app by %s', async (way) => {
    const names = 'App, Chart';
    const ours = 'StepCa, AutocertWebhook';
    const load = {
      import: `import { ${names} } from 'cdk8s'; import { ${ours} } from 'cdk8s-autocert';`,
      require: `const { ${names} } = require('cdk8s'); const { ${ours} } = require('cdk8s-autocert');`,
    }[way];
    const build = `const app = new App(); const chart = new Chart(app, 'autocert');
      new AutocertWebhook(chart, 'autocert', { ca: new StepCa(chart, 'ca') }); process.stdout.write(app.synthYaml());`;
    const file = way === 'import' ? 'plain.mjs' : 'plain.cjs';
    await writeFile(join(app, file), `${load}\n${build}`);
    const { stdout } = await node(file);
    expect(stdout).toContain('kind: StatefulSet');
    expect(stdout).toContain(`image: autocert:${packageJson.version}`);
  });

  test('synthesizes in an app written in TypeScript', async () => {
    const { stdout } = await node('app.mts');
    expect(stdout).toContain('*.shop.example.com');
  });

  test.each([
    ['an ES module', 'app.mts', ['--module', 'nodenext']],
    ['CommonJS', 'app.cts', ['--module', 'nodenext']],
    ['an app that is bundled', 'app.mts', ['--module', 'esnext', '--moduleResolution', 'bundler']],
  ])('has types that fit %s', async (_what, file, options) => {
    const tsc = join(dirname(join(ROOT, 'node_modules/typescript/package.json')), 'bin/tsc');
    const strict = ['--noEmit', '--strict', '--types', 'node', '--target', 'es2022'];
    await expect(node(tsc, ...strict, ...options, file)).resolves.toMatchObject({ stdout: '' });
  });

  test('has a program that runs, and works with keys and certificates', async () => {
    const program = join(app, 'node_modules/cdk8s-autocert/build/autocert.cjs');
    const env = { ...process.env, NODE_OPTIONS: '' };
    expect((await run(program, ['--help'], { env })).stdout).toContain('Usage: autocert');
    await run(program, ['init', '--dir', 'pki', '--password-files'], { cwd: app, env });
    const { stdout } = await run(program, ['inspect', 'pki/certs/root_ca.crt'], { cwd: app, env });
    expect(stdout).toContain('Root CA');
  });

  test('has a program whose dashboard has its page, without the sources', async () => {
    const code = await readFile(join(app, 'node_modules/cdk8s-autocert/build/autocert.cjs'), 'utf8');
    expect(code).toContain('Chain of trust');
    expect(code).toContain('/status.json');
    expect(code).not.toMatch(/require\("esbuild"\)|stripTypeScriptTypes/);
  });

  test('has a program that finds the manifests which come with it', async () => {
    const program = join(app, 'node_modules/cdk8s-autocert/build/autocert.cjs');
    const kubeconfig = join(app, 'kubeconfig');
    await writeFile(kubeconfig, kubeconfigOf({ server: 'http://127.0.0.1:1' }, {}));
    const env = { ...process.env, NODE_OPTIONS: '' };
    const ended = await run(program, ['install', '--kubeconfig', kubeconfig], { env }).catch((error) => error);
    expect([ended.code, ended.stdout]).toEqual([
      3,
      expect.stringMatching(/\d+ objects of 2 files in .*node_modules\/cdk8s-autocert\/dist\n/),
    ]);
  });
});

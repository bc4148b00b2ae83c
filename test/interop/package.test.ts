import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { background, waitFor } from '../../scripts/cluster/shell.ts';
import { platform } from '../../scripts/platform.ts';
import { type EmptyCluster, emptyCluster } from '../support/empty-cluster.ts';
import { LONG } from '../support/long.ts';
import { pack } from '../support/pack.ts';
import { type Output, output } from '../support/programs.ts';

/** The second is this project's own; the others are npm packages: npm checks their bytes, and no script of theirs has to run. */
const NODES = ['22', '24'] as const;
const TOO_OLD = '20';
const OWN = createRequire(import.meta.url).resolve('node/bin/node');

const POD = `apiVersion: v1
kind: Pod
metadata: { name: web, namespace: shop, annotations: { autocert.step.sm/name: web.shop.svc } }
spec: { containers: [{ name: web, image: nginx }] }
`;
const APP = `import { App, Chart } from 'cdk8s';
import { AutocertWebhook, StepCa } from 'cdk8s-autocert';
const app = new App();
const chart = new Chart(app, 'autocert');
new AutocertWebhook(chart, 'autocert', { ca: new StepCa(chart, 'ca') });
process.stdout.write(app.synthYaml());
`;
const MANIFEST = 'node_modules/cdk8s-autocert/dist/0001-autocert.k8s.yaml';

let folder: string;
let cluster: EmptyCluster;
const nodes = new Map<string, string>();

/** Installs in the folder, from the registry, as a user does. */
async function install(cwd: string, ...what: string[]): Promise<void> {
  await writeFile(join(cwd, 'package.json'), '{ "private": true }');
  const quiet = ['--no-audit', '--no-fund', '--no-save', '--ignore-scripts'];
  const { code, stderr } = await output('npm', ['install', '--prefix', cwd, ...quiet, ...what]);
  if (code !== 0) throw new Error(`npm install ${what.join(' ')}: ${stderr}`);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'autocert-installed-'));
  cluster = await emptyCluster();
  const { filename } = await pack(join(folder, 'source'));
  const { nodePackage } = platform();
  const installed = [NODES[0], TOO_OLD];
  const packages = installed.map((version) => `node-${version}@npm:${nodePackage}@${version}`);
  await install(folder, join(folder, 'source', filename), ...packages);
  nodes.set(NODES[1], OWN);
  for (const version of installed) nodes.set(version, join(folder, 'node_modules', `node-${version}`, 'bin/node'));
  await writeFile(join(folder, 'pod.yaml'), POD);
  await writeFile(join(folder, 'app.mjs'), APP);
}, 300_000);

afterAll(async () => {
  cluster.stop();
  await rm(folder, { recursive: true, force: true });
});

test('the package says which Node it needs where that is too old', async () => {
  const program = join(folder, 'node_modules/cdk8s-autocert/build/autocert.cjs');
  const ended = await output(nodes.get(TOO_OLD) as string, [program, 'start', '--once'], { NODE_OPTIONS: '' });
  expect([ended.code, ended.stdout]).toEqual([1, '']);
  expect(ended.stderr).toMatch(/^autocert: Node\.js 20\.[\d.]+ is too old: 22 or later is needed\n$/);
});

describe.each(NODES)('the package, installed with its peers, on Node %s', (version) => {
  const own = () => nodes.get(version) as string;
  /** By the link that npm made, whose first line looks for `node` on PATH. */
  const command = (name: string, ...args: string[]): Promise<Output> => {
    const env = { PATH: `${dirname(own())}:${process.env.PATH}`, NODE_OPTIONS: '', KUBECONFIG: '/nonexistent' };
    return output('env', ['-C', folder, join('node_modules/.bin', name), ...args], env);
  };

  test.each(['autocert', 'kubectl-autocert'])('has the command %s', async (name) => {
    expect((await output(own(), ['--version'])).stdout).toMatch(new RegExp(`^v${version}\\.`));
    expect(await command(name, '--help')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('Usage: autocert'),
    });
  });

  test('explains a manifest offline', async () => {
    const offline = ['--config', MANIFEST, '--kubernetes-version', '1.34'];
    const { code, stdout } = await command('autocert', 'explain', '-f', 'pod.yaml', ...offline);
    expect([code, stdout]).toEqual([0, expect.stringMatching(/injected/)]);
  });

  test('makes keys and certificates', async () => {
    const made = await command('autocert', 'init', '--dir', `pki-${version}`, '--password-files');
    expect(made).toMatchObject({ code: 0, stderr: '' });
    const { stdout } = await command('autocert', 'inspect', `pki-${version}/certs/root_ca.crt`);
    expect(stdout).toContain('Root CA');
  });

  // On the newer Node `npm start` goes it, and unit tests do.
  if (version === NODES[0] || LONG)
    test('goes the whole way, to a renewed certificate', async () => {
      const { code, stdout } = await command('autocert', 'start', '--once');
      expect([code, stdout]).toEqual([0, expect.stringMatching(/2 renewals, \d+ requests, none failed/)]);
    }, 60_000);

  test('has the dashboard: the page, what it loads, and the data', async () => {
    const program = join(folder, 'node_modules/cdk8s-autocert/build/autocert.cjs');
    const asked = ['dashboard', '--port', '0', '--kubeconfig', cluster.kubeconfig];
    const dashboard = background([own(), program, ...asked], { env: { NODE_OPTIONS: '' } });
    try {
      const address = async () => /http:\S+(?=.*\n)/.exec(dashboard.output())?.[0];
      const url = await waitFor('the address of the page', address, { everyMs: 20, needs: [dashboard] });
      const answers = ['', 'style.css', 'page.js', 'icon.svg', 'status.json'].map(async (path) => {
        const answer = await fetch(url + path);
        return [path, answer.status, (await answer.text()).length > 0];
      });
      for (const answer of await Promise.all(answers)) expect(answer).toEqual([answer[0], 200, true]);
      const data = await (await fetch(`${url}status.json`)).json();
      expect(data).toMatchObject({ namespace: 'step', podsOf: 'shop', pods: [] });
    } finally {
      await dashboard.stop('SIGTERM', 30_000);
    }
    expect([dashboard.child.exitCode, dashboard.child.signalCode]).toEqual([0, null]);
  }, 60_000);

  test('has constructs that synthesize', async () => {
    const { code, stdout } = await output(own(), [join(folder, 'app.mjs')], { NODE_OPTIONS: '' });
    expect([code, stdout]).toEqual([0, expect.stringContaining('kind: StatefulSet')]);
  });
});

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import type { Environment } from '../../../runtime/agent/settings.ts';
import { agentEnvironment, agentFolder } from '../../support/agent.ts';
import { startEndpoint } from '../../support/fake-ca.ts';
import { hierarchy } from '../../support/tiny-ca.ts';

const ROOT = join(import.meta.dirname, '../../..');
/** The two ways to start it. */
const PROGRAMS = [
  ['the worker', [join(ROOT, 'runtime/agent/main.ts')]],
  ['autocert agent', [join(ROOT, 'runtime/cli/main.ts'), 'agent']],
] as const;

function run(program: readonly string[], args: readonly string[], env: Environment = {}) {
  return new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    execFile(process.execPath, [...program, ...args], { env: { ...env } }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

test('it starts in every pod: it is made of this repository and of Node alone', async () => {
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: ['runtime/agent/main.ts'],
    bundle: true,
    platform: 'node',
    metafile: true,
    write: false,
  });
  const inputs = Object.keys(metafile.inputs);
  expect(inputs).toContain('runtime/agent/wake.ts');
  expect(inputs.filter((path) => !/^runtime\/(agent|contract\b|lib|policy|x509)/.test(path))).toEqual([]);
});

describe.each(PROGRAMS)('%s', (_, program) => {
  test('prints its usage', async () => {
    const { code, stdout } = await run(program, ['--help']);
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^Usage: autocert-agent-worker \[--once\]/)]);
  });

  test('refuses what it does not know', async () => {
    const { code, stdout, stderr } = await run(program, ['--once', 'more']);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/^autocert-agent-worker: this is not known: --once more\n/);
  });

  test('refuses a wrong environment in one line', async () => {
    const { code, stdout, stderr } = await run(program, [], { AUTOCERT_URL: 'autocert' });
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/^autocert-agent: the agent's environment: AUTOCERT_URL is "autocert"; it takes .*\n$/);
  });

  test('does one piece of work and ends', async () => {
    using folder = agentFolder();
    const authority = hierarchy();
    await using endpoint = await startEndpoint(authority);
    const { code, stdout, stderr } = await run(program, ['--once'], agentEnvironment(authority, endpoint, folder));
    expect([code, stderr]).toEqual([0, '']);
    const fields = {
      component: 'agent',
      msg: 'certificate written',
      level: 30,
      pod: 'web-0',
      namespace: 'shop',
      names: 'DNS:localhost',
    };
    expect(JSON.parse(stdout)).toMatchObject(fields);
  });
});

test('a log that nobody reads does not end it', async () => {
  using folder = agentFolder();
  const authority = hierarchy();
  await using endpoint = await startEndpoint(authority);
  const [, program] = PROGRAMS[0];
  const env = agentEnvironment(authority, endpoint, folder);
  const child = spawn(process.execPath, [...program], { env: { ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.destroy();
  child.stderr.destroy();
  expect((await once(child, 'exit'))[0]).toBe(0);
  expect(existsSync(join(folder.dir, 'site.crt'))).toBe(true);
});

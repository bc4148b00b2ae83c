import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Environment } from '../../../runtime/agent/settings.ts';
import { isForKey } from '../../../runtime/x509/certificate.ts';
import { readCertificateFiles, replaceCertificateFiles } from '../../../runtime/agent/certificate-files.ts';
import { agentEnvironment, agentFolder, setOf } from '../../support/agent.ts';
import { type Answer, type FakeCa, startFakeCa, startTokenEndpoint, type TestServer } from '../../support/fake-ca.ts';

/** The program itself, as a process. */
const PROGRAM = join(import.meta.dirname, '../../../runtime/agent/main.ts');

function agent(
  args: readonly string[],
  env: Environment = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [PROGRAM, ...args], { env: { ...env } }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

/** Starts the agent and resolves when its log has a line with `message`. */
async function start(args: readonly string[], env: Environment, message: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, [PROGRAM, ...args], { env: { ...env }, stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  await new Promise<void>((resolve, reject) => {
    child.once('exit', () => reject(new Error(`the agent ended: ${text}`)));
    child.stdout.on('data', (chunk) => {
      text += chunk;
      if (text.includes(message)) resolve();
    });
  });
  return child;
}

async function stop(child: ChildProcess): Promise<unknown> {
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  return (await ended)[0];
}

describe('the command line', () => {
  test.each([[['--help']], [['run', '--help']], [['-h']]])('%j prints the usage', async (args) => {
    const { code, stdout } = await agent(args);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^Usage: autocert-agent run \| once \| wait/);
  });

  test.each([
    [[], 'a command is missing'],
    [['fly'], 'this is not known: fly'],
    [['run', 'fast'], 'this is not known: run fast'],
    [['wait', '--forever'], 'this is not known: --forever'],
    [['wait', '--timeout', 'soon'], 'soon'],
  ])('%j is refused with exit code 2', async (args, problem) => {
    const { code, stderr, stdout } = await agent(args);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(problem);
  });

  test('a wrong environment ends with exit code 1 and one line', async () => {
    const { code, stderr } = await agent(['run'], { STEP_CA_URL: 'ca' });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^autocert-agent: the agent's environment: STEP_CA_URL is "ca"; it takes .*\n$/);
  });

  test('wait that waits in vain ends with exit code 1 and says where to look', async () => {
    using folder = agentFolder();
    const { code, stderr } = await agent(['wait', '--timeout=50ms'], { AUTOCERT_DIR: folder.dir });
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /no valid certificate in .* after 50ms: there are no files yet; the log of .* autocert-renewer/,
    );
  });
});

describe('the process', () => {
  let ca: FakeCa;
  let endpoint: TestServer;
  let folder: ReturnType<typeof agentFolder>;
  let env: Environment;
  beforeEach(async () => {
    ca = await startFakeCa();
    endpoint = await startTokenEndpoint(ca);
    folder = agentFolder();
    env = { ...agentEnvironment(ca, endpoint, folder), POD_NAME: 'web-0', NAMESPACE: 'shop' };
  });
  afterEach(async () => {
    folder[Symbol.dispose]();
    await endpoint[Symbol.asyncDispose]();
    await ca[Symbol.asyncDispose]();
  });

  test('once writes the files, logs what it got, and ends; wait then returns at once', async () => {
    const { code, stdout } = await agent(['once'], { ...env, MODE: '0640' });
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      msg: 'certificate written',
      pod: 'web-0',
      namespace: 'shop',
      names: 'DNS:localhost',
    });
    expect(readdirSync(folder.dir)).toEqual(expect.arrayContaining(['root.crt', 'site.crt', 'site.key']));
    expect(readFileSync(join(folder.dir, 'site.key'), 'utf8')).toMatch(/^-----BEGIN PRIVATE KEY-----/);
    expect(await agent(['wait'], env)).toEqual({ code: 0, stdout: '', stderr: '' });
  });

  test('wait, started together with run, returns when the files are there', async () => {
    const waiting = agent(['wait', '--timeout', '20s'], env);
    const running = await start(['run'], env, 'certificate written');
    expect((await waiting).code).toBe(0);
    expect(await stop(running)).toBe(0);
  });

  test('once outlives a CA that is down and a webhook that refuses at first', async () => {
    const answers = [403, 200];
    const granted = { token: 'one.time.token' };
    endpoint.routes['/token'] = () => [answers.shift() ?? 200, granted];
    const sign = ca.routes['/1.0/sign'] ?? [500, {}];
    let tries = 0;
    ca.routes['/1.0/sign'] = (request) => {
      tries += 1;
      if (tries === 1) return [500, { message: 'database is locked' }];
      return typeof sign === 'function' ? sign(request) : sign;
    };
    const { code, stdout } = await agent(['once'], env);
    expect(code).toBe(0);
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.map(({ msg, code: reason }) => [msg, reason])).toEqual([
      ['no certificate yet', 'FORBIDDEN'],
      ['no certificate yet', 'UNAVAILABLE'],
      ['certificate written', undefined],
    ]);
    expect(stdout).not.toMatch(/one\.time\.token|header\.claims|PRIVATE KEY/);
  });

  test('run renews what is overdue at once: a new key, and the files change as a set', async () => {
    const HOUR = 3_600_000;
    const overdue = setOf(ca.intermediate, {
      notBefore: new Date(Date.now() - 20 * HOUR),
      notAfter: new Date(Date.now() + 4 * HOUR),
    });
    const certificate = overdue.certificate + ca.intermediate.certificatePem;
    replaceCertificateFiles(folder.dir, { ...overdue, certificate, roots: ca.root.certificatePem }, 0o644);
    const running = await start(['run'], env, 'certificate written');
    expect(ca.seen.find(({ path }) => path === '/1.0/rekey')?.client).toBe('pod.example');
    const renewed = readCertificateFiles(folder.dir);
    expect(renewed?.key.reveal()).not.toBe(overdue.key.reveal());
    expect(renewed && isForKey(renewed.certificate, renewed.key)).toBe(true);
    expect(endpoint.seen).toEqual([]);
    expect(await stop(running)).toBe(0);
  });

  test('a log that nobody reads any more does not end it', async () => {
    const answers: Answer[] = [[503, {}]];
    const granted: Answer = [200, { token: 'one.time.token' }];
    endpoint.routes['/token'] = () => answers.shift() ?? granted;
    const running = await start(['run'], env, 'no certificate yet');
    running.stdout?.destroy();
    expect((await agent(['wait', '--timeout', '20s'], env)).code).toBe(0);
    expect(await stop(running)).toBe(0);
  });

  test('SIGTERM ends it with exit code 0 while it waits for a renewal', async () => {
    const running = await start(['run'], env, 'certificate written');
    expect(await stop(running)).toBe(0);
  });

  test('SIGTERM ends it with exit code 0 in the middle of a request', async () => {
    const asked = new Promise<void>((resolve) => {
      endpoint.routes['/token'] = () => {
        resolve();
        return new Promise(() => undefined);
      };
    });
    const running = spawn(process.execPath, [PROGRAM, 'run'], { env: { ...env }, stdio: 'ignore' });
    await asked;
    expect(await stop(running)).toBe(0);
  });
});

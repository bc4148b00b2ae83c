import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { replaceCertificateFiles } from '../../../runtime/agent/certificate-files.ts';
import { AgentEnv, CERTIFICATE_DIR, ContainerName, Program } from '../../../runtime/contract.ts';
import { waitFor } from '../../../scripts/cluster/shell.ts';
import { AGENT_SCRIPT, type AgentFolder, agentEnvironment, agentFolder, putSet, setOf } from '../../support/agent.ts';
import { startEndpoint } from '../../support/fake-ca.ts';
import { hierarchy, issue } from '../../support/tiny-ca.ts';

const root = issue('Test Root CA', { ca: true });
const past = new Date(Date.now() - 1_000);

test('it says the same as the contract', () => {
  const script = fs.readFileSync(AGENT_SCRIPT, 'utf8');
  expect(script).toContain(`dir=\${${AgentEnv.certificateDir}:-${CERTIFICATE_DIR}}`);
  expect(script).toContain(`worker=\${${AgentEnv.worker}:-${Program.agentWorker}}`);
  expect(script).toContain(`the log of the container ${ContainerName.renewer} tells why`);
  expect(script.startsWith('#!/bin/sh\n')).toBe(true);
});

function waitUntil<T>(probe: () => T | undefined | false): Promise<T> {
  return waitFor('what the test wants', async () => probe(), { everyMs: 5, timeoutMs: 20_000 });
}

/** The image has busybox's; a machine without it still tests its own. */
const SHELLS = [['/bin/sh'], ['busybox', 'sh']].filter(
  ([shell = '']) => spawnSync(shell, ['sh', '-c', ':']).error === undefined,
);

describe.each(SHELLS.map((shell) => [shell.join(' '), shell] as const))('in %s', (_, shell) => {
  let folder: AgentFolder;
  let started: Running[];
  beforeEach(() => {
    folder = agentFolder();
    started = [];
  });
  afterEach(async () => {
    for (const running of started) running.kill();
    await Promise.all(started.map(({ ended }) => ended));
    folder[Symbol.dispose]();
  });

  interface Running {
    readonly pid: number;
    readonly kill: () => void;
    readonly ended: Promise<{ code: number | null; stdout: string; stderr: string }>;
  }
  const start = (args: readonly string[], env: NodeJS.ProcessEnv = {}, flags: readonly string[] = []): Running => {
    const [file = '', ...rest] = shell;
    const child = spawn(file, [...rest, ...flags, AGENT_SCRIPT, ...args], {
      env: { PATH: process.env.PATH, AUTOCERT_DIR: folder.dir, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const said = { stdout: '', stderr: '' };
    child.stdout.on('data', (chunk) => (said.stdout += chunk));
    child.stderr.on('data', (chunk) => (said.stderr += chunk));
    const ended = once(child, 'close').then(async ([code]) => ({ code: code as number | null, ...said }));
    const running = { pid: child.pid ?? 0, kill: () => void child.kill('SIGTERM'), ended };
    started.push(running);
    return running;
  };
  /** Starts it with a worker that is this shell script. */
  const run = (worker: string, command = 'run') => start([command], { AUTOCERT_AGENT_WORKER: folder.script(worker) });
  const state = (text: string) => fs.writeFileSync(join(folder.dir, '..agent'), text);
  const path = (name: string) => join(folder.dir, name);
  /** What the shell is waiting for. */
  const childOf = ({ pid }: Running) => {
    const [child] = fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean);
    const command = child === undefined ? '' : fs.readFileSync(`/proc/${child}/cmdline`, 'utf8');
    return { pid: Number(child), command: command.split('\0').filter(Boolean).join(' ') };
  };
  const sleeping = (running: Running) =>
    waitUntil(() => {
      const child = childOf(running);
      return /\bsleep \d+$/.test(child.command) ? child : undefined;
    });
  const isAlive = (pid: number) => fs.existsSync(`/proc/${pid}/exe`);

  describe('the command line', () => {
    test.each([[['--help']], [['run', '--help']], [['-h']]])('%j prints the usage', async (args) => {
      const { code, stdout } = await start(args).ended;
      expect([code, stdout]).toEqual([0, expect.stringMatching(/^Usage: autocert-agent run \| once \| wait/)]);
    });

    test.each([
      [[], 'a command is missing'],
      [['fly'], 'this is not known: fly'],
      [['run', 'fast'], 'this is not known: run fast'],
      [['wait', '--forever'], 'this is not known: --forever'],
      [['wait', '--timeout', '1m', 'x'], 'this is not known: --timeout 1m x'],
      [['wait', '--timeout', ''], '"" is not a duration'],
      [['wait', '--timeout', 'soon'], '"soon" is not a duration'],
      [['wait', '--timeout=5'], '"5" is not a duration'],
      [['wait', '--timeout=1m$(id)'], '"1m$(id)" is not a duration'],
    ])('%j is refused with exit code 2', async (args, problem) => {
      const { code, stdout, stderr } = await start(args).ended;
      expect([code, stdout]).toEqual([2, '']);
      expect(stderr).toContain(`autocert-agent: ${problem}`);
    });
  });

  describe('run', () => {
    test('sleeps as long as the worker has said, with nothing beside the shell', async () => {
      state('problem=none of this\nsleep=57\ndelayMs=1000\n');
      const running = run('exit 0');
      expect((await sleeping(running)).command).toMatch(/sleep 57$/);
      running.kill();
      expect(await running.ended).toEqual({ code: 0, stdout: '', stderr: '' });
    });

    test.each([
      ['sleep=0\n', 1],
      ['sleep=0009\n', 9],
      ['sleep=601\n', 600],
      ['sleep=99999\n', 60],
      ['sleep=-5\n', 60],
      ['sleep=\n', 60],
      ['sleep=1e3\n', 60],
      ['sleep=5', 60],
      ['sleep=5 ; touch $AUTOCERT_DIR/evil\n', 60],
      ['sleep=$(touch "$AUTOCERT_DIR/evil")\n', 60],
      ['sleep=`touch evil`\n', 60],
      ['\u0000\u0001\u0002', 60],
      [`${'x\n'.repeat(100)}sleep=5\n`, 60],
      ['', 60],
    ])('takes what it reads as data: %j', async (text, seconds) => {
      state(text);
      const running = run('exit 1');
      expect((await sleeping(running)).command).toMatch(new RegExp(`sleep 0*${seconds}$`));
      expect(fs.existsSync(path('evil'))).toBe(false);
      running.kill();
      expect((await running.ended).code).toBe(0);
    });

    test.each([
      ['died', 'kill -9 $$'],
      ['does not know', 'exit 4'],
    ])('sleeps a minute after a worker that %s, whatever an old state says', async (_title, worker) => {
      state('sleep=1\n');
      const running = run(worker);
      expect((await sleeping(running)).command).toMatch(/sleep 60$/);
      running.kill();
      expect((await running.ended).stderr).toMatch(/script-\d ended with (137|4); trying again in a minute/);
    });

    test('works again when its sleep is over', async () => {
      state('sleep=1\n');
      const running = run(`echo >>'${path('wakings')}'`);
      await waitUntil(() => fs.existsSync(path('wakings')) && fs.readFileSync(path('wakings')).length >= 2);
      running.kill();
      expect((await running.ended).code).toBe(0);
    });

    test('wakes when its sleep is killed', async () => {
      state('sleep=600\n');
      const running = run(`echo >>'${path('wakings')}'`);
      process.kill((await sleeping(running)).pid);
      await waitUntil(() => fs.readFileSync(path('wakings')).length >= 2);
    });

    test('ends with 1 when the pod is gone, so that the hook that kubelet awaits ends', async () => {
      expect((await run('exit 3').ended).code).toBe(1);
    });

    test('ends with 2 and the words of the worker when its environment is wrong', async () => {
      expect(await run('echo "MODE is wrong" >&2; exit 2').ended).toEqual({
        code: 2,
        stdout: '',
        stderr: 'MODE is wrong\n',
      });
    });
  });

  describe('once', () => {
    test('tells the worker so, and ends when it has a certificate', async () => {
      expect(await run('echo "$@"', 'once').ended).toEqual({ code: 0, stdout: '--once\n', stderr: '' });
    });

    test('tries until then', async () => {
      state('sleep=1\n');
      expect((await run(`test -e '${path('tried')}' || ! echo >'${path('tried')}'`, 'once').ended).code).toBe(0);
    });

    test('that is stopped has not succeeded', async () => {
      const running = run(`echo >'${path('started')}'; exec sleep 1000`, 'once');
      await waitUntil(() => fs.existsSync(path('started')));
      running.kill();
      expect((await running.ended).code).toBe(143);
    });
  });

  describe('SIGTERM', () => {
    test('ends a worker that runs, and the shell with 0', async () => {
      const running = run(`echo $$ >'${path('pid')}'; exec sleep 1000`);
      const pid = await waitUntil(() => fs.existsSync(path('pid')) && Number(fs.readFileSync(path('pid'), 'utf8')));
      running.kill();
      expect((await running.ended).code).toBe(0);
      await waitUntil(() => !isAlive(Number(pid)));
    });

    test('ends its sleep', async () => {
      state('sleep=600\n');
      const running = run('exit 0');
      const { pid } = await sleeping(running);
      running.kill();
      expect((await running.ended).code).toBe(0);
      await waitUntil(() => !isAlive(pid));
    });

    test('ends it with 0 at once at any moment', async () => {
      state('sleep=1\n');
      for (let moment = 0; moment < 40; moment += 1) {
        fs.rmSync(path('started'), { force: true });
        const running = run(`echo >'${path('started')}'`);
        await waitUntil(() => fs.existsSync(path('started')));
        // Between the worker's end and the next sleep, a fraction of a millisecond later each time.
        const until = performance.now() + moment / 10;
        while (performance.now() < until);
        const told = performance.now();
        running.kill();
        expect((await running.ended).code).toBe(0);
        expect(performance.now() - told).toBeLessThan(900);
      }
    });
  });

  describe('wait', () => {
    const wait = (timeout = '20s') => start(['wait', '--timeout', timeout]);
    const vain = (problem: string) => ({
      code: 1,
      stdout: '',
      stderr: `autocert-agent: no valid certificate in ${folder.dir} after 150ms: ${problem}; the log of the container autocert-renewer tells why\n`,
    });

    test('returns at once when a valid set is there, also one of an earlier life', async () => {
      putSet(folder.dir, root);
      expect(await wait().ended).toEqual({ code: 0, stdout: '', stderr: '' });
    });

    test('returns as soon as one is written', async () => {
      const waiting = wait();
      await waitUntil(() => childOf(waiting).pid > 0);
      putSet(folder.dir, root);
      expect((await waiting.ended).code).toBe(0);
    });

    test('does not take an expired set, and takes the one that replaces it', async () => {
      putSet(folder.dir, root, { notAfter: past });
      expect(await wait('150ms').ended).toEqual(vain('the certificate has expired'));
      const waiting = wait();
      await waitUntil(() => childOf(waiting).pid > 0);
      putSet(folder.dir, root);
      expect((await waiting.ended).code).toBe(0);
    });

    test.each(['site.crt', 'site.key', 'root.crt', '.about'])('does not take a set without %s', async (name) => {
      putSet(folder.dir, root);
      fs.rmSync(path(`..data/${name}`));
      expect(await wait('150ms').ended).toEqual(vain('there are no files yet'));
    });

    test.each(['notAfter=soon\n', 'notAfter=\n', 'notAfter=99999999999999999999\n', 'notAfter=$(id)\n', ''])(
      'does not take a set of which it cannot tell the expiry: %j',
      async (about) => {
        putSet(folder.dir, root);
        fs.writeFileSync(path('..data/.about'), about);
        expect(await wait('150ms').ended).toEqual(vain('there are no files yet'));
      },
    );

    test('tells what the worker has found out, word for word', async () => {
      state('sleep=5\nproblem=refused: 100%s of "a" $(id) \\n `b`\n');
      expect(await wait('150ms').ended).toEqual(vain('refused: 100%s of "a" $(id) \\n `b`'));
    });

    test('waits for a folder that is not there yet', async () => {
      fs.rmdirSync(folder.dir);
      expect(await wait('150ms').ended).toEqual(vain('there are no files yet'));
      const waiting = wait();
      await waitUntil(() => childOf(waiting).pid > 0);
      fs.mkdirSync(folder.dir);
      putSet(folder.dir, root);
      expect((await waiting.ended).code).toBe(0);
    });

    test('gives up after a minute the first time, then after eleven, until it has succeeded', async () => {
      const usual = async () => {
        const { stderr } = await stopped(start(['wait'], {}, ['-x']));
        return /timeout=11m/.test(stderr) ? '11m' : '1m';
      };
      const stopped = async (running: Running) => {
        await waitUntil(() => childOf(running).pid > 0);
        running.kill();
        return running.ended;
      };
      expect(await usual()).toBe('1m');
      await wait('10ms').ended;
      expect(await usual()).toBe('11m');
      putSet(folder.dir, root);
      expect((await wait().ended).code).toBe(0);
      fs.rmSync(path('..data'));
      expect(await usual()).toBe('1m');
    });

    test.each(['1h30m', '90s', '0500ms', '1m'])('takes the duration %s', async (duration) => {
      putSet(folder.dir, root);
      expect((await wait(duration).ended).code).toBe(0);
    });

    test('a hook that is stopped has not succeeded', async () => {
      const waiting = wait();
      await waitUntil(() => childOf(waiting).pid > 0);
      waiting.kill();
      expect((await waiting.ended).code).not.toBe(0);
    });
  });

  describe('with the real worker', () => {
    test('run and wait, started together: the files come, the hook returns, then only a shell is left', async () => {
      const authority = hierarchy();
      await using endpoint = await startEndpoint(authority);
      const env = agentEnvironment(authority, endpoint, folder);
      const [running, waiting] = [start(['run'], env), start(['wait'], env)];
      expect(await waiting.ended).toEqual({ code: 0, stdout: '', stderr: '' });
      expect((await sleeping(running)).command).toMatch(/sleep (1[89]\d|2\d\d|300)$/);
      running.kill();
      const { code, stdout } = await running.ended;
      expect(code).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject({ msg: 'certificate written', pod: 'web-0', namespace: 'shop' });
    });

    test('a renewal replaces the files as a set', async () => {
      const authority = hierarchy();
      await using endpoint = await startEndpoint(authority);
      const HOUR = 3_600_000;
      const overdue = setOf(authority.root, {
        notBefore: new Date(Date.now() - 20 * HOUR),
        notAfter: new Date(Date.now() + 4 * HOUR),
      });
      replaceCertificateFiles(folder.dir, overdue, 0o644);
      const before = fs.readlinkSync(path('..data'));
      start(['run'], { ...agentEnvironment(authority, endpoint, folder) });
      await waitUntil(() => fs.readlinkSync(path('..data')) !== before);
      expect(fs.readFileSync(path('site.key'), 'utf8')).not.toBe(overdue.key.reveal());
    });

    test('SIGTERM in the middle of a request ends all of it', async () => {
      const authority = hierarchy();
      await using endpoint = await startEndpoint(authority);
      const asked = new Promise<void>((resolve) => {
        endpoint.routes['/certificate'] = () => {
          resolve();
          return new Promise(() => undefined);
        };
      });
      const running = start(['run'], agentEnvironment(authority, endpoint, folder));
      await asked;
      const { pid } = childOf(running);
      running.kill();
      expect((await running.ended).code).toBe(0);
      await waitUntil(() => !isAlive(pid));
    });

    test('a wrong environment ends it, and says every fault', async () => {
      const running = start(['run'], { AUTOCERT_AGENT_WORKER: folder.worker, MODE: '9' });
      const { code, stderr } = await running.ended;
      expect(code).toBe(2);
      expect(stderr).toMatch(/^autocert-agent: the agent's environment: AUTOCERT_URL is not set; .*MODE is "9"/);
    });
  });
});

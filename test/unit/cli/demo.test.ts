/** `autocert start`, run as its users run it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createInterface } from 'node:readline';

interface Run {
  readonly child: ChildProcess;
  readonly lines: string[];
  /** Resolves when a line with this text has been printed. */
  printed(text: string): Promise<void>;
  readonly exitCode: Promise<number | null>;
}

function start(...args: string[]): Run {
  const child = spawn(process.execPath, ['runtime/cli/main.ts', 'start', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: string[] = [];
  const waiting = new Map<string, () => void>();
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line);
      for (const [text, resolve] of waiting) if (line.includes(text)) resolve();
    });
  }
  const exitCode = new Promise<number | null>((resolve) => child.once('close', resolve));
  const printed = (text: string) =>
    new Promise<void>((resolve, reject) => {
      if (lines.some((line) => line.includes(text))) resolve();
      else waiting.set(text, resolve);
      void exitCode.then(() => reject(new Error(`ended before it printed ${text}:\n${lines.join('\n')}`)));
    });
  return { child, lines, printed, exitCode };
}

const folderIn = (lines: readonly string[]) => /\/\S*autocert-start-\w+/.exec(lines.join('\n'))?.[0] ?? '';

/** Ids of processes for which `matches` holds; it throws where one has ended meanwhile. */
const processes = (matches: (pid: string) => boolean) =>
  readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && matches(pid);
    } catch {
      return false;
    }
  });
/** Processes that name the folder in their command line or environment. */
const processesOf = (folder: string) =>
  processes((pid) => ['cmdline', 'environ'].some((file) => readFileSync(`/proc/${pid}/${file}`).includes(folder)));
const childrenOf = (parent: number | undefined) =>
  processes(
    (pid) =>
      readFileSync(`/proc/${pid}/stat`, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ')[1] === `${parent}`,
  );

/** Addresses, as the kernel writes them, on which these processes listen. */
function listening(pids: readonly string[]): string[] {
  const sockets = pids.flatMap((pid) =>
    readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`)),
  );
  const rows = ['tcp', 'tcp6'].flatMap((table) => readFileSync(`/proc/net/${table}`, 'utf8').split('\n').slice(1));
  return rows
    .map((row) => row.trim().split(/\s+/))
    .filter(([, , , state, , , , , , inode]) => state === '0A' && sockets.includes(`socket:[${inode}]`))
    .map(([, local = '']) => local.split(':')[0] ?? '');
}

describe('autocert start', () => {
  test('goes the whole way once: first certificate, then renewals without a failed request', async () => {
    const run = start('--once', '--json');
    expect(await run.exitCode).toBe(0);
    const facts = run.lines.map((line) => JSON.parse(line));
    const steps = facts.filter(({ step }) => step);
    expect(steps.map(({ step }) => step)).toEqual([
      'PKI',
      'CA',
      'API server',
      'webhook',
      'admission',
      'agent',
      'inspect',
      'hello-mtls',
    ]);
    expect(steps.find(({ step }) => step === 'agent').files).toEqual(['root.crt', 'site.crt', 'site.key']);
    expect(steps.find(({ step }) => step === 'inspect').text).toContain('Subject: CN=sleep.default.svc.cluster.local');
    const renewals = facts.filter(({ event }) => event === 'renewal');
    expect(new Set(renewals.map(({ who }) => who))).toEqual(new Set(['server', 'client']));
    const done = facts.at(-1);
    expect(done).toMatchObject({ event: 'done', traffic: { failures: 0 } });
    expect(done.traffic.greetings).toBeGreaterThan(20);
  }, 180_000); // certificates last longer on a busy machine

  test.each(['SIGINT', 'SIGHUP'] as const)(
    'leaves no process and no file after %s, and ends well',
    async (signal) => {
      const run = start();
      await run.printed('hello-mtls');
      const folder = folderIn(run.lines);
      expect(processesOf(folder)).not.toHaveLength(0);
      run.child.kill(signal);
      run.child.kill(signal); // the impatient press Ctrl-C twice
      expect(await run.exitCode).toBe(0);
      expect(existsSync(folder)).toBe(false);
      expect(processesOf(folder)).toHaveLength(0);
    },
    60_000,
  );

  test('leaves no process and no file when its output is read no more, as by head', async () => {
    const run = start('--once');
    await run.printed('CA');
    run.child.stdout?.destroy();
    expect(await run.exitCode).toBe(0);
    const folder = folderIn(run.lines);
    expect(existsSync(folder)).toBe(false);
    expect(processesOf(folder)).toHaveLength(0);
    expect(run.lines.join('\n')).not.toContain('EPIPE');
  }, 60_000);

  test('listens on loopback only', async () => {
    const run = start();
    await run.printed('hello-mtls');
    const addresses = listening([`${run.child.pid}`, ...childrenOf(run.child.pid)]);
    run.child.kill('SIGTERM');
    expect(addresses.length).toBeGreaterThanOrEqual(5); // CA, API server, webhook and its second port, hello-mtls
    expect(new Set(addresses)).toEqual(new Set(['0100007F']));
    expect(await run.exitCode).toBe(0);
  }, 60_000);

  test("repeats the webhook's words when it denies the pod", async () => {
    const run = start('test/fixtures/denied-pod.yaml', '--once');
    expect(await run.exitCode).toBe(1);
    const shown = run.lines.join('\n');
    expect(shown).toContain('"db.production.svc" is not a name that pods of namespace "default" may have');
    expect(shown).not.toMatch(/^\s+at /m);
  }, 60_000);

  test('says what is wrong with a file that holds no pod', async () => {
    const run = start('package.json');
    expect(await run.exitCode).toBe(2);
    expect(run.lines.join('\n')).toContain('"package.json" holds no pod: want a manifest of');
  }, 60_000);
});

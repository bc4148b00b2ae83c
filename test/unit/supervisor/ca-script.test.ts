import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CaControl } from '../../../runtime/supervisor/ca-control.ts';
import { waitFor } from '../../../scripts/cluster/shell.ts';

const SCRIPT = join(import.meta.dirname, '../../../runtime/supervisor/ca.sh');

function waitUntil<T>(what: string, probe: () => T | undefined | false): Promise<T> {
  return waitFor(what, async () => probe(), { everyMs: 5, timeoutMs: 20_000 });
}

/** A container has the first; a machine without it still tests its own shell, with its own programs. */
const SHELLS = [['busybox', 'sh'], ['/bin/sh']].filter(
  ([shell = '']) => spawnSync(shell, ['sh', '-c', ':']).error === undefined,
);

describe.each(SHELLS.map((shell) => [shell.join(' '), shell] as const))('in %s', (_, shell) => {
  const path = (name: string) => join(dir, name);
  const isAlive = (id: string) => fs.existsSync(`/proc/${id}/exe`);
  let dir: string;
  let control: CaControl;
  const ended: Promise<unknown>[] = [];
  const kills: (() => void)[] = [];
  beforeEach(() => {
    dir = fs.mkdtempSync(join(tmpdir(), 'autocert-ca-script-'));
    for (const name of ['control', 'out/current']) fs.mkdirSync(join(dir, name), { recursive: true });
    fs.writeFileSync(join(dir, 'out/current/ca.json'), '{}');
    // Runs the applet that it is asked for by the name that it has on this machine.
    fs.writeFileSync(join(dir, 'busybox'), '#!/bin/sh\nexec "$@"\n', { mode: 0o755 });
    control = new CaControl(join(dir, 'control'));
  });
  afterEach(async () => {
    for (const kill of kills.splice(0)) kill();
    await Promise.all(ended.splice(0));
    fs.rmSync(dir, { recursive: true });
  });

  /** Starts it with a step-ca that is this shell script. */
  const start = (stepCa: string, env: NodeJS.ProcessEnv = {}) => {
    const file = join(dir, 'step-ca');
    fs.writeFileSync(file, `#!/bin/sh\n${stepCa}\n`, { mode: 0o755 });
    const [program = '', ...rest] = shell;
    const child = spawn(program, [...rest, SCRIPT, join(dir, 'control'), join(dir, 'out')], {
      env: { PATH: process.env.PATH, AUTOCERT_STEP_CA: file, AUTOCERT_BUSYBOX: join(dir, 'busybox'), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true, // with what it starts it is a process group, which ends as one
    });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        said += chunk;
      });
    }
    const end = once(child, 'exit').then(([code]) => code as number | null);
    ended.push(once(child, 'close')); // a step-ca that is left behind holds the pipes
    kills.push(() => {
      if (child.pid === undefined) return;
      try {
        process.kill(-child.pid, 'SIGKILL');
      } catch {} // all of it has ended
    });
    return { child, end, said: () => said };
  };
  const stateIs = (kind: string, run: number) =>
    waitUntil(`${kind} ${run}`, () => {
      const state = control.state();
      return state?.kind === kind && state.run === run ? state : undefined;
    });
  /** A step-ca that tells its process id and its arguments, and runs on. */
  const STEADY = 'echo "$@" >"$0.args"; echo $$ >"$0.pid"; exec sleep 1000';
  const pid = () =>
    waitUntil(
      'step-ca',
      () => fs.existsSync(path('step-ca.pid')) && fs.readFileSync(path('step-ca.pid'), 'utf8').trim(),
    );

  test('starts step-ca when it is told to, with the password and the configuration of the set that counts', async () => {
    const { child, end } = start(STEADY);
    expect(await stateIs('stopped', 1)).toEqual({ kind: 'stopped', run: 1, why: 'start' });
    expect(fs.existsSync(path('step-ca.pid'))).toBe(false);
    control.order('go', 1);
    await stateIs('running', 1);
    const started = await pid();
    expect(fs.readFileSync(path('step-ca.args'), 'utf8').trim()).toBe(
      `--password-file ${path('out/current/password')} ${path('out/current/ca.json')}`,
    );
    child.kill('SIGTERM');
    expect(await end).toBe(0);
    expect(isAlive(started)).toBe(false);
  });

  test('stops it when it is told to, and waits for the next order', async () => {
    start(STEADY);
    await stateIs('stopped', 1);
    control.order('go', 1);
    const started = await pid();
    await stateIs('running', 1);
    control.order('stop', 1);
    expect((await stateIs('stopped', 2)).why).toMatch(/^exit:143$/);
    expect(isAlive(started)).toBe(false);
    control.order('go', 2);
    await stateIs('running', 2);
  });

  test('tells how step-ca has ended by itself', async () => {
    start('exit 7');
    await stateIs('stopped', 1);
    control.order('go', 1);
    expect(await stateIs('stopped', 2)).toEqual({ kind: 'stopped', run: 2, why: 'exit:7' });
  });

  test('kills a step-ca that does not end', async () => {
    start('trap \'\' TERM; echo $$ >"$0.pid"; while :; do sleep 1; done');
    await stateIs('stopped', 1);
    control.order('go', 1);
    const started = await pid();
    control.order('stop', 1);
    expect((await stateIs('stopped', 2)).why).toBe('exit:137');
    expect(isAlive(started)).toBe(false);
  });

  test.each([
    ['of another run', () => control.order('go', 2)],
    ['that it does not know', () => fs.writeFileSync(path('control/order'), 'run 1 1\n')],
    ['that is code', () => fs.writeFileSync(path('control/order'), '$(touch "$PWD/evil") `id` 1\n')],
    ['that is noise', () => fs.writeFileSync(path('control/order'), Buffer.alloc(5_000, 7))],
  ])('does not obey an order %s', async (_what, give) => {
    const { said } = start(STEADY);
    await stateIs('stopped', 1);
    give();
    control.order('wait', 1);
    give();
    const before = fs.readFileSync(path('control/state'), 'utf8');
    control.order('go', 1);
    await stateIs('running', 1);
    expect(before).toBe('stopped 1 start\n');
    expect(said()).toBe('');
  });

  test('numbers runs on after it was killed, so that old orders are of no run', async () => {
    const first = start(STEADY);
    await stateIs('stopped', 1);
    first.child.kill('SIGKILL');
    await first.end;
    control.order('go', 1);
    start(STEADY);
    expect(await stateIs('stopped', 2)).toEqual({ kind: 'stopped', run: 2, why: 'start' });
  });

  test.each(['', 'stopped x start', 'stopped 99999999999999999999 start', 'stopped $(id) start'])(
    'begins with 1 after the state %j',
    async (state) => {
      fs.writeFileSync(path('control/state'), `${state}\n`);
      start(STEADY);
      await stateIs('stopped', 1);
    },
  );

  test('starts step-ca by itself when the supervisor says nothing, and not while it says that it is at work', async () => {
    start(STEADY, { AUTOCERT_PATIENCE: '1' });
    await stateIs('stopped', 1);
    const beats = setInterval(() => control.order('wait', 1), 50);
    const until = performance.now() + 1_500;
    await waitUntil('the time of its patience', () => performance.now() > until);
    expect(control.state()?.kind).toBe('stopped');
    clearInterval(beats);
    await stateIs('running', 1);
  });

  test('does not start step-ca by itself while it is held', async () => {
    control.hold(true);
    start(STEADY, { AUTOCERT_PATIENCE: '0' });
    await stateIs('stopped', 1);
    const until = performance.now() + 1_000;
    await waitUntil('the time of its patience', () => performance.now() > until);
    expect(control.state()?.kind).toBe('stopped');
    control.hold(false);
    await stateIs('running', 1);
  });

  test('does not start step-ca by itself without a configuration', async () => {
    fs.rmSync(path('out/current/ca.json'));
    const { child, end } = start(STEADY, { AUTOCERT_PATIENCE: '0' });
    await stateIs('stopped', 1);
    child.kill('SIGTERM');
    expect(await end).toBe(0);
    expect(control.state()?.kind).toBe('stopped');
  });

  test('ends with 0 when it is stopped while it waits', async () => {
    const { child, end } = start(STEADY);
    await stateIs('stopped', 1);
    child.kill('SIGTERM');
    expect(await end).toBe(0);
  });

  test('says how it is used', () => {
    const [program = '', ...rest] = shell;
    const { status, stderr } = spawnSync(program, [...rest, SCRIPT], { encoding: 'utf8' });
    expect([status, stderr]).toEqual([2, 'Usage: ca.sh CONTROL_FOLDER CONFIGURATION_FOLDER\n']);
  });
});

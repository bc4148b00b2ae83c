import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { leftovers } from '../../../scripts/cluster/footprint.ts';
import { alive, identify, kill } from '../../../scripts/cluster/processes.ts';
import { CommandFailed, run, waitFor } from '../../../scripts/cluster/shell.ts';
import type { Step } from '../../e2e/context.ts';
import { inOrder, runSteps, select, usualOf } from '../../e2e/runner.ts';

const step = (id: string, name: string, extra: Partial<Step> = {}): Step => ({
  id,
  name,
  run: async () => {},
  ...extra,
});
const failing = async () => {
  throw new Error('not as it must be');
};

describe('the choice of steps', () => {
  const steps = [
    step('1.1', 'install', { base: true }),
    step('1.2', 'again'),
    step('4.1', 'sleep'),
    step('10.1', 'argo'),
  ];
  const chosen = (...only: string[]) => select(steps, only).map(({ id }) => id);

  test('is all of them unless one is named', () => expect(chosen()).toEqual(['1.1', '1.2', '4.1', '10.1']));
  test('by number brings the steps that it rests upon', () => expect(chosen('4.1')).toEqual(['1.1', '4.1']));
  test('brings what that rests upon in its turn', () => {
    const story = inOrder([...steps, step('2.1', 'fall'), step('2.2', 'lie'), step('2.3', 'rise')], ['2']);
    const only = (word: string) => select(story, [word]).map(({ id }) => id);
    expect(only('2.3')).toEqual(['1.1', '2.1', '2.2', '2.3']);
    expect(only('2.1')).toEqual(['1.1', '2.1']);
    expect(only('4.1')).toEqual(['1.1', '4.1']);
    const chain = [step('5.1', 'a'), step('5.2', 'b', { restsOn: ['5.1'] }), step('5.3', 'c', { restsOn: ['5.2'] })];
    expect(select(chain, ['5.3']).map(({ id }) => id)).toEqual(['5.1', '5.2', '5.3']);
  });
  test('by part takes all of the part and no other', () => expect(chosen('1')).toEqual(['1.1', '1.2']));
  test('by word looks in the names', () => expect(chosen('argo')).toEqual(['1.1', '10.1']));
  test('of a step that does not exist is an error', () => expect(() => chosen('99')).toThrow(/no step is called "99"/));
});

test('what takes its time runs when that is asked for, or by its name', () => {
  const steps = [step('1.1', 'install'), step('1.2', 'storm', { long: true })];
  const ids = (some: readonly Step[]) => some.map(({ id }) => id);
  expect(ids(usualOf(steps, false))).toEqual(['1.1']);
  expect(ids(usualOf(steps, true))).toEqual(['1.1', '1.2']);
  expect(ids(select(steps, ['storm']))).toEqual(['1.2']);
});

describe('running steps', () => {
  const ports = () => {
    const lines: string[] = [];
    const print = (line: string) => {
      lines.push(line);
    };
    return { lines, ports: { print, diagnose: async () => 'the state', signal: new AbortController().signal } };
  };

  test('goes on after a failure, and shows the state of the cluster', async () => {
    const { lines, ports: some } = ports();
    const outcome = await runSteps([step('1', 'fails', { run: failing }), step('2', 'works')], some);
    expect(outcome).toEqual({ passed: 1, failed: ['1 fails'] });
    expect(lines.join('\n')).toMatch(/FAILED 1 .*not as it must be.*the state.*ok {5}2/s);
  });

  test('ends when the others rest upon the step that failed', async () => {
    const { ports: some } = ports();
    const outcome = await runSteps([step('1', 'fails', { run: failing, base: true }), step('2', 'works')], some);
    expect(outcome).toEqual({ passed: 0, failed: ['1 fails'] });
  });

  test('ends what the steps have started, the last one first, also when one has failed', async () => {
    const { ports: some } = ports();
    const ended: string[] = [];
    const ending = (id: string) => ({ end: async () => void ended.push(id) });
    const steps = [step('1', 'works', ending('1')), step('2', 'fails', { run: failing, base: true, ...ending('2') })];
    await runSteps(steps, some);
    expect(ended).toEqual(['2', '1']);
  });
});

describe('commands and waiting', () => {
  test('a command that fails tells what it printed', async () => {
    const failure = run([process.execPath, '-e', 'console.error("the reason"); process.exit(3)']);
    await expect(failure).rejects.toThrow(CommandFailed);
    await expect(failure).rejects.toThrow(/code 3\nthe reason/);
  });

  test('waiting asks again until there is an answer', async () => {
    let asked = 0;
    expect(await waitFor('the third time', async () => ++asked === 3 && asked, { everyMs: 1 })).toBe(3);
  });

  test('waiting ends with the last error', async () => {
    const waited = waitFor('nothing', failing, { timeoutMs: 5, everyMs: 1 });
    await expect(waited).rejects.toMatchObject({
      message: expect.stringContaining('nothing'),
      cause: expect.anything(),
    });
  });
});

test('what is there now and was not before is left over', () => {
  expect(leftovers(new Set(['a', 'b']), new Set(['b', 'c']))).toEqual(['c']);
});

const onLinux = process.platform === 'linux' ? test : test.skip;

onLinux('a process is killed by its identity, never one that got its number', async () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
  const id = identify(child.pid ?? 0);
  if (id === undefined) throw new Error('the child does not run');
  kill({ ...id, started: '1' });
  expect(alive(id)).toBe(true);
  kill(id);
  expect(await once(child, 'exit')).toEqual([null, 'SIGKILL']);
  expect(alive(id)).toBe(false);
});

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { identify } from '../../../scripts/cluster/processes.ts';
import { type Background, type BackgroundOptions, background, run, waitFor } from '../../../scripts/cluster/shell.ts';

const started: Background[] = [];
const start = (script: string, options: BackgroundOptions = {}) => {
  const program = background(['sh', '-c', script], options);
  started.push(program);
  return program;
};
afterEach(async () => {
  for (const { stop } of started.splice(0)) await stop('SIGKILL');
});

const never = async () => undefined;

describe('a wait for what a program does', () => {
  test('ends when the program does, and tells how it ended and its last words', async () => {
    const program = start('echo one; echo no port is free >&2; exit 3');
    await expect(waitFor('an answer', never, { needs: [program] })).rejects.toThrow(
      /^waited in vain for an answer: sh ended with 3: one\nno port is free$/,
    );
  });

  test('tells the words of a program that writes them to a file', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'autocert-shell-'));
    try {
      const program = start('echo no port is free; exit 3', { log: join(dir, 'log') });
      await expect(waitFor('an answer', never, { needs: [program] })).rejects.toThrow(/3: no port is free$/);
      expect(readFileSync(join(dir, 'log'), 'utf8')).toBe('no port is free\n');
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  test('takes no answer of another when the program has ended', async () => {
    const program = start('exit 0');
    await expect(waitFor('its end', async () => program.ended() !== undefined)).resolves.toBe(true);
    await expect(waitFor('an answer', async () => 'of another', { needs: [program] })).rejects.toThrow('no word');
  });

  test('goes on while the program runs', async () => {
    const program = start('echo ready; exec sleep 60');
    const said = async () => program.output().includes('ready');
    await expect(waitFor('its word', said, { needs: [program] })).resolves.toBe(true);
    expect(program.ended()).toBeUndefined();
  });

  test('tells of a program that is not there', async () => {
    const program = background(['no-such-program']);
    await expect(waitFor('an answer', never, { needs: [program] })).rejects.toThrow('ENOENT');
    await program.stop();
  });
});

const onLinux = process.platform === 'linux' ? test : test.skip;
onLinux(
  'a process that is not held by one that it has started ends, and with it the one that is tied to it',
  async () => {
    const shell = JSON.stringify(import.meta.resolve('../../../scripts/cluster/shell.ts'));
    const code = `import { background, tied } from ${shell};
    console.log(background(tied(['sleep', '60']), { holds: false }).child.pid);`;
    const pid = Number(await run([process.execPath, '--input-type=module-typescript', '-e', code]));
    expect(pid).toBeGreaterThan(0);
    await waitFor('its end', async () => identify(pid) === undefined);
  },
);

test('a program that does not end when it is asked to is killed', async () => {
  const program = start('trap "" TERM; echo deaf; while :; do sleep 0.05; done');
  await waitFor('its word', async () => program.output().includes('deaf'));
  await program.stop('SIGTERM', 10);
  expect(program.child.signalCode).toBe('SIGKILL');
});

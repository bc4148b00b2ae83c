import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { readPassphrase } from '../../../runtime/cli/passphrase.ts';

/** A terminal at which somebody types an answer to each question. */
function terminal(...answers: string[]) {
  const shown: string[] = [];
  const echoed: string[] = [];
  let isRaw = false;
  const setRawMode = (mode: boolean) => {
    isRaw = mode;
    return input;
  };
  const input = Object.assign(new PassThrough(), { isTTY: true, setRawMode });
  const output = {
    write: (text: string) => {
      shown.push(text);
      if (text.endsWith(': ') && !isRaw) echoed.push(text);
      const answer = text.endsWith(': ') ? answers.shift() : undefined;
      if (answer !== undefined) setImmediate(() => input.write(answer));
    },
  };
  /** `echoed`: prompts at which the terminal would show what is typed. */
  return { input, output, shown, echoed };
}

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'autocert-passphrase-'));
});
afterEach(() => rmSync(dir, { recursive: true }));
const file = (text: string) => {
  writeFileSync(join(dir, 'passphrase'), text);
  return join(dir, 'passphrase');
};

test('a new one is asked for twice, and not shown', async () => {
  const at = terminal('correct horse battery\r', 'correct horse battery\r');
  const passphrase = await readPassphrase({ isNew: true, terminal: at });
  expect(passphrase.reveal()).toBe('correct horse battery');
  expect(at.shown.join('')).toBe('Passphrase: \nOnce more: \n');
});

test('is not shown even if it is pasted at the moment it is asked for', async () => {
  const at = terminal('correct horse battery\r', 'correct horse battery\r');
  await readPassphrase({ isNew: true, terminal: at });
  expect(at.echoed).toEqual([]);
});

test('one that exists is asked for once; what is rubbed out does not count', async () => {
  const at = terminal('short\x7f\x7fé\r');
  expect((await readPassphrase({ isNew: false, terminal: at })).reveal()).toBe('shoé');
});

test('two that differ are refused', async () => {
  const at = terminal('correct horse battery\r', 'correct horse batterie\r');
  await expect(readPassphrase({ isNew: true, terminal: at })).rejects.toMatchObject({
    code: 'INVALID_INPUT',
    message: 'the two passphrases differ: nothing was done',
  });
});

test.each([
  ['Ctrl-C', '\x03'],
  ['Ctrl-D', '\x04'],
])('%s ends it', async (_, key) => {
  await expect(readPassphrase({ isNew: true, terminal: terminal(key) })).rejects.toMatchObject({
    code: 'INVALID_INPUT',
    message: 'no passphrase was given: nothing was done',
  });
});

test('without a terminal a file is asked for', async () => {
  const at = { input: new PassThrough(), output: { write: () => {} } };
  await expect(readPassphrase({ isNew: true, terminal: at })).rejects.toMatchObject({
    code: 'INVALID_INPUT',
    message: expect.stringContaining('--passphrase-file FILE'),
  });
});

test('a file has it in one line, whose end does not count', async () => {
  expect((await readPassphrase({ file: file('correct horse battery\r\n'), isNew: true })).reveal()).toBe(
    'correct horse battery',
  );
});

test.each([
  ['too short', 'eleven char', true],
  ['empty', '\n', false],
  ['too long', 'x'.repeat(1025), false],
])('one that is %s is refused, and not quoted', async (_, text, isNew) => {
  await expect(readPassphrase({ file: file(text), isNew })).rejects.toMatchObject({
    code: 'INVALID_INPUT',
    message: expect.stringMatching(/^the passphrase has \d+ characters: it takes \d+ to 1024$/),
  });
});

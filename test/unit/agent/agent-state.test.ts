import * as fs from 'node:fs';
import { join } from 'node:path';
import { readState, writeState } from '../../../runtime/agent/agent-state.ts';
import { type AgentFolder, agentFolder } from '../../support/agent.ts';

let folder: AgentFolder;
beforeEach(() => {
  folder = agentFolder();
});
afterEach(() => folder[Symbol.dispose]());

const file = () => join(folder.dir, '..agent');
const lines = () => fs.readFileSync(file(), 'utf8').split('\n');

test('the next worker reads what the one before wrote', () => {
  const times = { failingSince: 1_779_990_000_000, reportAt: 1_780_003_600_000 };
  const remembered = { delayMs: 1_500.2, retryAt: 1_780_000_000_000.5, askFailures: 3, ...times };
  expect(writeState(folder.dir, 17_000, { memory: remembered, problem: 'not now' })).toBe(true);
  const memory = { delayMs: 1_501, retryAt: 1_780_000_000_001, askFailures: 3, ...times };
  expect(readState(folder.dir)).toEqual({ memory, problem: 'not now' });
  expect(fs.readdirSync(folder.dir)).toEqual(['..agent']);
});

test.each([
  [0, 1],
  [17_400, 17],
  [17_600, 18],
  [1e9, 600],
  [Number.NaN, 600],
])('the shell is told whole seconds, from 1 to 600: %d ms', (ms, seconds) => {
  writeState(folder.dir, ms, { memory: {} });
  expect(lines()).toContain(`sleep=${seconds}`);
});

test('never to wake before the endpoint wants it to', () => {
  writeState(folder.dir, 17_100, { memory: { retryAt: 1 } });
  expect(lines()).toContain('sleep=18');
});

test('a problem is one line of printable text, and not long', () => {
  writeState(folder.dir, 0, { memory: {}, problem: `a\nsleep=1\u0007\u2028${'x'.repeat(5_000)}` });
  const [line = ''] = lines().filter((each) => each.startsWith('problem='));
  expect(line).toMatch(/^problem=a sleep=1 x+…$/);
  expect(line.length).toBeLessThanOrEqual(1_010);
  expect(lines()).toHaveLength(3);
});

test.each([
  ['nothing', ''],
  ['something else', '\u0000\u0001{"a":1}\n=\n==\nsleep'],
  ['numbers that are none', 'sleep=1e9\ndelayMs=-5\nretryAt=9999999999999999999\naskFailures=0x10\n'],
])('garbage is no state: %s', (_, text) => {
  fs.writeFileSync(file(), text);
  expect(readState(folder.dir).memory).toEqual({});
});

test('a file of absurd size is not read', () => {
  fs.writeFileSync(file(), `delayMs=5\n${'x'.repeat(1 << 21)}`);
  expect(readState(folder.dir)).toEqual({ memory: {} });
});

test('where it cannot be written, an old one does not stay', () => {
  writeState(folder.dir, 1_000, { memory: {} });
  // Even root cannot write to a folder.
  fs.mkdirSync(join(folder.dir, '..new-..agent'));
  expect(writeState(folder.dir, 240_000, { memory: {} })).toBe(false);
  expect(fs.existsSync(file())).toBe(false);
});

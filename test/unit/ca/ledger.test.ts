import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ledger } from '../../../runtime/ca/ledger.ts';

const NOW = new Date('2027-01-01T00:00:00Z');
const later = (seconds: number) => new Date(+NOW + seconds * 1000);

let dir: string;
let file: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'autocert-ledger-'));
  file = join(dir, 'state', 'ledger.jsonl');
});
afterEach(() => rmSync(dir, { recursive: true }));

const lines = () => readFileSync(file, 'utf8').split('\n').filter(Boolean);

test('takes an entry once', () => {
  const ledger = Ledger.open(file, NOW);
  expect(ledger.add('a', NOW, later(60))).toBe(true);
  expect(ledger.add('a', NOW, later(60))).toBe(false);
  expect(ledger.has('a', NOW)).toBe(true);
  ledger.close();
});

test('remembers after a restart', () => {
  const before = Ledger.open(file, NOW);
  before.add('a', NOW, later(60));
  before.add('for ever', NOW);
  before.close();
  const after = Ledger.open(file, later(59));
  expect(after.add('a', later(59))).toBe(false);
  expect(after.has('for ever', later(1e9))).toBe(true);
  after.close();
});

test('remembers when the process was killed: an entry is on the disk when add returns', () => {
  const ledger = Ledger.open(file, NOW);
  ledger.add('a', NOW);
  expect(lines()).toEqual(['{"id":"a","until":null}']);
  ledger.close();
});

test('forgets what does not matter any more, also on the disk', () => {
  const before = Ledger.open(file, NOW);
  before.add('a', NOW, later(60));
  before.add('b', NOW, later(600));
  before.close();
  const after = Ledger.open(file, later(61));
  expect(after.has('a', later(61))).toBe(false);
  expect(lines()).toEqual([`{"id":"b","until":${+later(600)}}`]);
  after.close();
});

test('does not grow without end while it is open', () => {
  const ledger = Ledger.open(file, NOW);
  for (let second = 0; second < 2_500; second++) ledger.add(`token ${second}`, later(second), later(second + 10));
  expect(lines().length).toBeLessThan(1_100);
  expect(ledger.has('token 2499', later(2_499))).toBe(true);
  ledger.close();
});

test('a line that a crash cut off is skipped', () => {
  Ledger.open(file, NOW).close();
  appendFileSync(file, '{"id":"whole","until":null}\n{"id":"cut","un');
  const ledger = Ledger.open(file, NOW);
  expect(ledger.has('whole', NOW)).toBe(true);
  expect(ledger.has('cut', NOW)).toBe(false);
  ledger.close();
});

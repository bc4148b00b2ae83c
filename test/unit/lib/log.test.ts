import { Allowance } from '../../../runtime/lib/allowance.ts';
import { jsonLog, type Log, sparingLog } from '../../../runtime/lib/log.ts';
import { Secret } from '../../../runtime/lib/secret.ts';
import { serverLog } from '../../../runtime/lib/server-log.ts';
import { keptLog } from '../../support/logs.ts';

type Write = (line: string) => void;
const LOGS: readonly [string, (write: Write) => Log][] = [
  ['of an agent', (write) => jsonLog({ component: 'agent' }, write)],
  ['of a server', (write) => serverLog('webhook', { write })],
];

describe.each(LOGS)('a line %s', (_title, logTo) => {
  const lineOf = (fields: object, message = 'something') => {
    const written: string[] = [];
    logTo((line) => written.push(line)).warn(fields, message);
    return written.join('');
  };
  const fieldsOf = (fields: object, message?: string) => JSON.parse(lineOf(fields, message));

  test('has 4 KiB of each text, wherever it is, and of the message', () => {
    const long = 'x'.repeat(1_000_000);
    const { reason, pod, names, msg } = fieldsOf({ reason: long, pod: { name: long }, names: [long] }, long);
    for (const text of [reason, pod.name, names[0], msg]) {
      expect(text).toHaveLength(4096);
      expect(text.endsWith('…')).toBe(true);
    }
  });

  test('has all names of a certificate, however long, and not millions of them', () => {
    const names = Array.from({ length: 64 }, (_, index) => `${index}.`.padEnd(253, 'a'));
    expect(fieldsOf({ names }).names).toEqual(names);
    const { many } = fieldsOf({ many: Array(1_000_000).fill('a') });
    expect([many.length, many.at(-1)]).toEqual([129, '… and 999872 more']);
    expect(lineOf({ many: Array(128).fill('x'.repeat(10_000)) }).length).toBeLessThan(40_000);
    const fields = Object.fromEntries(Array.from({ length: 100_000 }, (_, index) => [`key${index}`, index]));
    expect(lineOf({ fields }).length).toBeLessThan(4_000);
  });

  test('is one line that no terminal takes for a command, whatever a field or its name has', () => {
    const nasty = '\n\r\u001b[2J\u009b31m\u0085\u2028\u202egnp.exe\u2066\u007f{"level":30}';
    const line = lineOf({ [nasty]: nasty, list: [nasty] }, nasty);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: it is about them
    expect(line.trimEnd()).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/);
    expect(line.endsWith('}\n')).toBe(true);
    expect(JSON.parse(line)).toMatchObject({ level: 40, list: [expect.stringContaining('gnp.exe')] });
  });

  test('ends, however deep a field is', () => {
    let deep: object = { end: true };
    for (let depth = 0; depth < 100_000; depth += 1) deep = { deep };
    expect(lineOf({ deep }).length).toBeLessThan(500);
  });

  test('has dates as they are, and no secret', () => {
    const at = new Date('2030-01-01T00:00:00Z');
    const { held, ...rest } = fieldsOf({ at, held: new Secret('s3cret'), none: undefined, yes: true, count: 3 });
    expect(held).toBe('[redacted]');
    expect(rest).toMatchObject({ at: '2030-01-01T00:00:00.000Z', yes: true, count: 3 });
  });
});

test('a log that is spared lines tells how many were left out', () => {
  let clock = 0;
  const kept = keptLog();
  const log = sparingLog(kept, new Allowance(() => clock, { perSecond: 1, burst: 2 }));
  for (let line = 0; line < 10; line += 1) log.warn({ line }, 'flood');
  expect(kept.lines.map(({ fields }) => fields)).toEqual([{ line: 0 }, { line: 1 }]);
  clock += 1_000;
  log.info({ line: 10 }, 'flood');
  expect(kept.lines.at(-1)).toEqual({ level: 'info', message: 'flood', fields: { line: 10, linesLeftOut: 8 } });
});

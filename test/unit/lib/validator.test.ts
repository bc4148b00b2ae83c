import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import {
  type Check,
  Faults,
  httpsUrl,
  isRecord,
  list,
  mapOf,
  object,
  oneOf,
  optional,
  port,
  readJsonFile,
  share,
  text,
} from '../../../runtime/lib/validator.ts';

/** Every fault that a check finds. */
function faultsOf(check: Check, value: unknown): readonly string[] {
  try {
    check(value);
    return [];
  } catch (error) {
    if (error instanceof Faults) return error.list;
    return [error instanceof Error ? error.message : String(error)];
  }
}

const SHAPE = object({
  name: text,
  ports: list(port, { atLeast: 1 }),
  mode: oneOf('on', 'off'),
  labels: mapOf(text),
  inner: object({ url: httpsUrl, share: optional(share) }, { strict: true }),
});
const RIGHT = { name: 'a', ports: [1], mode: 'on', labels: {}, inner: { url: 'https://a' } };

test('what is right passes, with more than was asked for where the shape is not strict', () => {
  expect(faultsOf(SHAPE, RIGHT)).toEqual([]);
  expect(faultsOf(SHAPE, { ...RIGHT, more: 1, inner: { url: 'https://a', share: 0.5 } })).toEqual([]);
});

test('every fault is found at once, with its path, what is wanted and what was given', () => {
  const wrong = {
    ports: [80, -1, 1.5],
    mode: 'pigeon',
    labels: { a: 'x', 'b.c/d': 7 },
    inner: { url: 'http://a', share: 2, extra: true },
  };
  expect(faultsOf(SHAPE, wrong)).toEqual([
    'name: must be a text, got nothing',
    'ports[1]: must be a port (0 to 65535), got -1',
    'ports[2]: must be a port (0 to 65535), got 1.5',
    'mode: must be one of on, off, got "pigeon"',
    'labels.b.c/d: must be a text, got 7',
    'inner.url: must be an https:// URL, got "http://a"',
    'inner.share: must be a number between 0 and 1, got 2',
    'inner.extra: is no setting; known are url, share',
  ]);
});

test.each<[string, Check, unknown[], unknown[]]>([
  ['a text', text, ['a', ' '], ['', 1, null, undefined, {}, []]],
  ['a port', port, [0, 443, 65_535], [-1, 65_536, 1.5, '443', null, Number.NaN]],
  ['a share', share, [0.001, 0.999], [0, 1, -0.5, '0.5', Number.NaN, null]],
  [
    'an https:// URL',
    httpsUrl,
    ['https://a', 'https://a.b:443/c/', 'https://[::1]:4443'],
    ['', 'a', 'http://a', 'https://user@a', 'https://a?b', 'https://a#b', 'https://', 7],
  ],
  ['a list', list(text), [[], ['a']], [{}, null, 'a', undefined]],
  ['an object', object({}), [{}, { a: 1 }], [null, [], 'a', undefined]],
  ['a map', mapOf(text), [{}, { a: 'b' }], [null, [], { a: 1 }]],
  ['what may be absent', optional(text), [undefined, 'a'], ['', null]],
])('%s is told from what is none', (_title, check, right, wrong) => {
  for (const value of right) expect(faultsOf(check, value)).toEqual([]);
  for (const value of wrong) expect(faultsOf(check, value)).not.toEqual([]);
});

test('names that every object has are no settings, and no values', () => {
  expect(
    faultsOf(object({ a: optional(text) }, { strict: true }), JSON.parse('{"constructor": 1, "__proto__": 2}')),
  ).toEqual(['constructor: is no setting; known are a', '__proto__: is no setting; known are a']);
  expect(faultsOf(object({ toString: text }), {})).toHaveLength(1);
});

test('a fault shows a hundred characters of what was given', () => {
  const [fault = ''] = faultsOf(object({ mode: oneOf('on') }), { mode: 'x'.repeat(10_000) });
  expect(fault.length).toBeLessThan(160);
});

test('whatever is given, the answer is faults, not a crash', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      for (const fault of faultsOf(SHAPE, value)) expect(fault).toMatch(/must be |is no setting/);
    }),
  );
});

test('a record is an object that is no list', () => {
  expect([{}, [], null, undefined, 'a', 1].map(isRecord)).toEqual([true, false, false, false, false, false]);
});

describe('a JSON file', () => {
  const dir = mkdtempSync(join(tmpdir(), 'autocert-validator-'));
  afterAll(() => rmSync(dir, { recursive: true }));
  const file = (content: string) => {
    const path = join(dir, 'file.json');
    writeFileSync(path, content);
    return path;
  };

  test('is given as it is when every check passes', () => {
    expect(readJsonFile(file(JSON.stringify(RIGHT)), SHAPE)).toEqual(RIGHT);
  });

  test('with faults is refused with each of them on a line of its own, and its name', () => {
    const path = file('{"ports": [], "mode": "on", "labels": {}, "inner": {"url": "https://a"}}');
    expect(() => readJsonFile(path, SHAPE)).toThrow(
      expect.objectContaining({
        code: 'INVALID_CONFIG',
        message: `configuration ${path}:\n  name: must be a text, got nothing\n  ports: must be a list of at least 1, got []`,
      }),
    );
  });

  test('is checked one check after the other: a later one sees what has passed the earlier', () => {
    const later: Check = (value) => {
      if ((value as typeof RIGHT).name === 'b') throw new Faults(['name: must not be b']);
    };
    expect(() => readJsonFile(file(JSON.stringify({ ...RIGHT, name: 'b' })), SHAPE, later)).toThrow(/must not be b/);
    expect(() => readJsonFile(file('null'), SHAPE, later)).toThrow(/must be an object, got null/);
  });

  test.each(['', '[1', '{'])('that is not JSON is refused: %j', (content) => {
    expect(() => readJsonFile(file(content), SHAPE)).toThrow(expect.objectContaining({ code: 'INVALID_CONFIG' }));
  });

  test('that is not there, or larger than a mebibyte, is refused by its name', () => {
    const missing = join(dir, 'none.json');
    expect(() => readJsonFile(missing, SHAPE)).toThrow(/cannot read .*none\.json: .*ENOENT/);
    expect(() => readJsonFile(file(`"${'x'.repeat(2 ** 20)}"`), SHAPE)).toThrow(/larger than 1048576 bytes/);
  });
});

import fc from 'fast-check';
import { parseBoundedJson } from '../../../runtime/lib/bounded-json.ts';

const parse = (text: string) => parseBoundedJson(Buffer.from(text));

test('any JSON that is not too deep and not too much is read as JSON.parse reads it', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 10, stringUnit: 'binary' }), (text) => {
      expect(parse(text)).toEqual(JSON.parse(text));
    }),
  );
});

test('brackets, commas and quotes within texts are text', () => {
  const value = { text: `${'['.repeat(1000)}"\\${','.repeat(300_000)}`, '{"': '\\' };
  expect(parse(JSON.stringify(value))).toEqual(value);
});

test('nothing is nothing', () => {
  expect(parse('')).toBeUndefined();
});

test.each([
  ['[', ']'],
  ['{"a":', '}'],
])('sixty-four of %s are read, one more is not', (open, close) => {
  const nested = (depth: number) => `${open.repeat(depth - 1)}[]${close.repeat(depth - 1)}`;
  expect(() => parse(nested(64))).not.toThrow();
  expect(() => parse(nested(65))).toThrow(/^the body is nested deeper than 64$/);
});

test('as many annotations as the Kubernetes API can take are read; megabytes of tiny values are not', () => {
  // Each at least a key of three characters, in 256 KiB.
  const keys = Array.from({ length: (256 * 1024) / 3 }, (_, index) => `"${index.toString(36).padStart(3, '0')}":""`);
  expect(Object.keys(parse(`{${keys.join(',')}}`) as object).length).toBeGreaterThan(46_000);
  for (const value of ['1,', '[],', '{},', '"",']) {
    expect(() => parse(`[${value.repeat(300_000)}0]`)).toThrow(/^the body has more values than fit/);
  }
});

test.each(['{"a": ', '{"a": "\\', '"', 'x', ']', '{"a":1}}', '\u0000'])('%j is not JSON', (text) => {
  expect(() => parse(text)).toThrow(/^the body is not JSON: /);
});

import fc from 'fast-check';
import { JsonBounds, parseBoundedJson } from '../../../runtime/lib/bounded-json.ts';

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

test('a very large pod is read; megabytes of tiny values are not', () => {
  const env = Array.from({ length: 20 }, (_, index) => ({ name: `VARIABLE_${index}`, value: 'x' }));
  const fields = Object.fromEntries(
    env.map(({ name }) => [`k:{"name":"${name}"}`, { '.': {}, 'f:name': {}, 'f:value': {} }]),
  );
  const pod = { containers: Array(100).fill({ name: 'main', env }), managedFields: Array(100).fill(fields) };
  expect(parse(JSON.stringify(pod))).toEqual(pod);
  for (const value of ['1,', '[],', '{},', '"",']) {
    expect(() => parse(`[${value.repeat(300_000)}0]`)).toThrow(/^the body has more values than fit/);
  }
});

test('however a body is cut into parts, it is counted as one', () => {
  const text = JSON.stringify({ '"[': ['\\"', '\\', ',,', [[]], { a: 1 }], b: '\\\\"' });
  const passes = (parts: readonly Buffer[], maxTokens: number) => {
    const bounds = new JsonBounds(maxTokens);
    return parts.map((part) => bounds.add(part)).every(Boolean);
  };
  const bytes = Buffer.from(text);
  const least =
    Array.from({ length: bytes.length }, (_, tokens) => tokens).find((tokens) => passes([bytes], tokens)) ?? 0;
  expect(least).toBeGreaterThan(0);
  fc.assert(
    fc.property(fc.nat(bytes.length), fc.nat(bytes.length), (one, other) => {
      const [from, to] = [Math.min(one, other), Math.max(one, other)];
      const parts = [bytes.subarray(0, from), bytes.subarray(from, to), bytes.subarray(to)];
      expect([passes(parts, least), passes(parts, least - 1)]).toEqual([true, false]);
    }),
  );
});

test.each(['{"a": ', '{"a": "\\', '"', 'x', ']', '{"a":1}}', '\u0000'])('%j is not JSON', (text) => {
  expect(() => parse(text)).toThrow(/^the body is not JSON: /);
});

/**
 * Bodies of requests: JSON that is right, nearly right, deep, with a key twice, or no JSON at all.
 * @module
 */
import fc, { type Arbitrary } from 'fast-check';
import { anyText, mutated } from './texts.ts';

/** Texts by which JSON values are replaced. */
const VALUES = [
  'null',
  'true',
  '-1',
  '1e999',
  '""',
  '[]',
  '{}',
  '[null]',
  '{"__proto__":{"x":1}}',
  '"\\ud800"',
  '9007199254740993',
];
const DEPTHS = [100, 1_000, 10_000, 100_000];
const VALUE = /"(?:[^"\\]|\\.)*"(?!\s*:)|-?\d+(?:\.\d+)?|true|false|null/g;

/** Bodies like those of `good`, as texts. */
export function bodiesLike(good: Arbitrary<unknown>): Arbitrary<string> {
  const right = good.map((value) => JSON.stringify(value));
  const at = fc.double({ min: 0, max: 1, noNaN: true });
  const twisted = fc
    .tuple(right, at, fc.constantFrom(...VALUES))
    .map(([text, share, value]) => replaced(text, share, value));
  const twice = fc
    .tuple(right, at, fc.constantFrom(...VALUES))
    .map(([text, share, value]) => doubled(text, share, value));
  const deep = fc
    .tuple(right, at, fc.constantFrom(...DEPTHS), fc.boolean())
    .map(([text, share, depth, isList]) => replaced(text, share, nested(depth, isList)));
  const cut = fc.tuple(right, at).map(([text, share]) => text.slice(0, Math.floor(share * text.length)));
  return fc.oneof(
    { arbitrary: right, weight: 6 },
    { arbitrary: twisted, weight: 6 },
    { arbitrary: twice, weight: 3 },
    { arbitrary: mutated(right), weight: 3 },
    { arbitrary: cut, weight: 1 },
    { arbitrary: deep, weight: 1 },
    { arbitrary: fc.json(), weight: 1 },
    { arbitrary: anyText, weight: 1 },
  );
}

/** One of its values is another. */
function replaced(text: string, share: number, value: string): string {
  const all = [...text.matchAll(VALUE)];
  const match = all[Math.floor(share * all.length)];
  return match ? text.slice(0, match.index) + value + text.slice(match.index + match[0].length) : text;
}

/** One of its keys is there a second time, with another value. */
function doubled(text: string, share: number, value: string): string {
  const all = [...text.matchAll(/[{,]("(?:[^"\\]|\\.)*")\s*:/g)];
  const match = all[Math.floor(share * all.length)];
  return match ? `${text.slice(0, match.index + 1)}${match[1]}:${value},${text.slice(match.index + 1)}` : text;
}

function nested(depth: number, isList: boolean): string {
  return isList ? '['.repeat(depth) + ']'.repeat(depth) : `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
}

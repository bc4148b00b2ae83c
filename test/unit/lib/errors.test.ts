import fc from 'fast-check';
import { AutocertError, MAX_MESSAGE, messageOf } from '../../../runtime/lib/errors.ts';

describe('the message of what was thrown', () => {
  test('is its own, with those of its causes', () => {
    const cause = new Error('connection refused', { cause: 'port 443' });
    expect(messageOf(new AutocertError('UNAVAILABLE', 'no answer', { cause }))).toBe(
      'no answer: connection refused: port 443',
    );
  });

  test('is the name of an error without one, and the text of what is no error', () => {
    expect(messageOf(new TypeError())).toBe('TypeError');
    expect(messageOf('no')).toBe('no');
    expect(messageOf(undefined)).toBe('undefined');
    for (const odd of [{ toString: 0 }, Object.create(null)]) {
      expect(messageOf(new Error('odd', { cause: odd }))).toBe('odd: what was thrown has no text');
    }
  });

  test('is bounded, however long it is', () => {
    const long = messageOf(new Error('x'.repeat(1_000_000), { cause: new Error('y'.repeat(1_000_000)) }));
    expect(long).toHaveLength(MAX_MESSAGE);
    expect(long.endsWith('x…')).toBe(true);
    expect(messageOf(new Error('x'.repeat(MAX_MESSAGE)))).toBe('x'.repeat(MAX_MESSAGE));
  });

  test('ends where causes go round in a circle, or go on for ever', () => {
    const first: Error = new Error('first');
    first.cause = new Error('second', { cause: first });
    expect(messageOf(first)).toMatch(/^first: second: first/);
    let deep = new Error('the bottom');
    for (let depth = 0; depth < 100_000; depth += 1) deep = new Error('level', { cause: deep });
    expect(messageOf(deep).length).toBeLessThan(100);
  });

  test('is a text of bounded length whatever is thrown', () => {
    const thrown = fc.oneof(
      fc.anything({ withNullPrototype: true }),
      fc.string().map((text) => new Error(text)),
    );
    fc.assert(
      fc.property(thrown, thrown, (value, cause) => {
        for (const each of [value, new Error('e', { cause })]) {
          const message = messageOf(each);
          expect(typeof message).toBe('string');
          expect(message.length).toBeLessThanOrEqual(MAX_MESSAGE);
        }
      }),
    );
  });
});

test('an error carries what code reacts to beside its words', () => {
  const cause = new Error('why');
  const error = new AutocertError('UNAVAILABLE', 'busy', {
    status: 429,
    retryAfterMs: 1000,
    reason: 'TooManyRequests',
    cause,
  });
  expect(error).toMatchObject({
    name: 'AutocertError',
    code: 'UNAVAILABLE',
    status: 429,
    retryAfterMs: 1000,
    reason: 'TooManyRequests',
    cause,
  });
  expect(new AutocertError('GONE', 'it is gone')).toMatchObject({ status: undefined, retryAfterMs: undefined });
});

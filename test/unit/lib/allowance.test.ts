import fc from 'fast-check';
import { Allowance } from '../../../runtime/lib/allowance.ts';

const SECOND = 1000;

describe('an allowance', () => {
  test('is so much at once, then so much a second', () => {
    let now = 0;
    const allowance = new Allowance(() => now, { perSecond: 2, burst: 5 });
    const taken = (tries: number) => Array.from({ length: tries }, () => allowance.take()).filter(Boolean).length;
    expect(taken(10)).toBe(5);
    expect(taken(1)).toBe(0);
    now += 500;
    expect(taken(10)).toBe(1);
    now += 86_400 * SECOND;
    expect(taken(10)).toBe(5);
  });

  test('is never exceeded, however often it is asked', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 2000 }), { maxLength: 300 }), (pauses) => {
        let now = 0;
        const allowance = new Allowance(() => now, { perSecond: 0.5, burst: 10 });
        let taken = 0;
        for (const pause of pauses) {
          now += pause;
          if (allowance.take()) taken += 1;
          expect(taken).toBeLessThanOrEqual(10 + now / 2000 + 1e-6);
        }
      }),
    );
  });
});

import fc from 'fast-check';
import { CERTIFICATES_PER_SECOND, Pacer } from '../../../runtime/webhook/pacer.ts';

const SECOND = 1_000;
const LONGEST = 300 * SECOND;

/** Evenly spread "chance": no run of luck makes a test fail. */
function evenly(): () => number {
  let turn = 0;
  return () => {
    turn += 1;
    return (turn * 0.618_033_988_75) % 1;
  };
}

/** What so many callers are told, all at one moment. */
function tell(callers: number, leastMs: number): number[] {
  const pacer = new Pacer(() => 0, evenly());
  return Array.from({ length: callers }, () => pacer.comeBackAfter(leastMs));
}

/** Most of them that come back within one second. */
function peak(told: readonly number[]): number {
  const bySecond = new Map<number, number>();
  for (const ms of told) bySecond.set(Math.floor(ms / SECOND), (bySecond.get(Math.floor(ms / SECOND)) ?? 0) + 1);
  return Math.max(...bySecond.values());
}

describe('when callers are to come back', () => {
  test('one alone: after the least time, and up to half as much again', () => {
    const told = Array.from({ length: 1000 }, () => new Pacer(() => 0).comeBackAfter(10 * SECOND));
    expect(Math.min(...told)).toBeGreaterThanOrEqual(10 * SECOND);
    expect(Math.max(...told)).toBeLessThan(15 * SECOND);
    expect(new Set(told).size).toBeGreaterThan(900);
  });

  test.each([1, 5, 60])('10,000 at once: as fast as certificates can be had, none before %d s', (seconds) => {
    const told = tell(10_000, seconds * SECOND);
    const all = (10_000 / CERTIFICATES_PER_SECOND) * SECOND;
    expect(Math.min(...told)).toBeGreaterThanOrEqual(seconds * SECOND);
    expect(Math.max(...told)).toBeCloseTo(all, -3);
    // The least time and the turns overlap at first; the CA carries a multiple of this.
    expect(peak(told)).toBeLessThanOrEqual(4 * CERTIFICATES_PER_SECOND);
  });

  test('a crowd beyond all turns: within five minutes, and not all at the end of them', () => {
    const told = tell(100_000, SECOND);
    expect(Math.max(...told)).toBeLessThanOrEqual(LONGEST);
    expect(peak(told)).toBeLessThan(100_000 / 100);
  });

  test('never before the least time, never after five minutes, whoever asks when', () => {
    const calls = fc.array(fc.tuple(fc.nat(100_000), fc.integer({ min: 1, max: 60_000 })), { maxLength: 200 });
    fc.assert(
      fc.property(calls, (asked) => {
        let now = 0;
        const pacer = new Pacer(() => now);
        for (const [pause, least] of asked) {
          now += pause;
          const told = pacer.comeBackAfter(least);
          expect(told).toBeGreaterThanOrEqual(least);
          expect(told).toBeLessThanOrEqual(LONGEST);
        }
      }),
    );
  });

  test('a long outage does not outlive its end: five minutes later nobody has to wait for those before', () => {
    let now = 0;
    const pacer = new Pacer(() => now, evenly());
    for (; now < 3_600 * SECOND; now += 2) pacer.comeBackAfter(SECOND);
    now += LONGEST;
    expect(pacer.comeBackAfter(SECOND)).toBeLessThanOrEqual(1.5 * SECOND);
  });
});

import fc from 'fast-check';
import { backoffBounds, nextDelay, renewAt, renewIn } from '../../../runtime/lib/schedule.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const now = new Date('2026-06-01T12:00:00Z');
const later = (ms: number) => new Date(now.getTime() + ms);
/** A certificate as step-ca issues it now: dated back by a minute. */
const issuedNow = (lifetime: number) => ({ notBefore: later(-MINUTE), notAfter: later(lifetime) });

describe('renewIn', () => {
  test('is two thirds of the usable lifetime, less up to a twentieth', () => {
    expect(renewIn(issuedNow(24 * HOUR), now, 0)).toBe(16 * HOUR);
    expect(renewIn(issuedNow(24 * HOUR), now, 1)).toBe(16 * HOUR - 1.2 * HOUR);
  });

  test('leaves a certificate for half a minute alone for a while: the back-dated minute is no lifetime', () => {
    expect(renewIn(issuedNow(30 * SECOND), now, 0)).toBe(15 * SECOND);
  });

  test('of an overdue certificate is a second', () => {
    const validity = { notBefore: later(-3 * HOUR), notAfter: later(10 * SECOND) };
    expect(renewIn(validity, now, 0.5)).toBe(SECOND);
    expect(renewIn({ ...validity, notAfter: later(-HOUR) }, now, 0.5)).toBe(SECOND);
  });

  test('is never under a second nor, if there is that much time, after expiry', () => {
    const lifetimes = fc.integer({ min: 5 * SECOND, max: 10_000 * HOUR });
    const chance = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(lifetimes, chance, chance, (lifetime, age, random) => {
        const notBefore = later(-Math.floor(lifetime * age));
        const validity = { notBefore, notAfter: new Date(notBefore.getTime() + lifetime) };
        const wait = renewIn(validity, now, random);
        expect(wait).toBeGreaterThanOrEqual(SECOND);
        expect(wait).toBeLessThanOrEqual(Math.max(SECOND, validity.notAfter.getTime() - now.getTime()));
        expect(renewAt(validity, random).getTime()).toBeGreaterThan(validity.notBefore.getTime());
      }),
    );
  });
});

describe('nextDelay', () => {
  const bounds = { base: SECOND, cap: MINUTE };

  test('begins at the base and grows at most threefold', () => {
    expect(nextDelay(undefined, 0, bounds)).toBe(SECOND);
    expect(nextDelay(undefined, 1, bounds)).toBe(3 * SECOND);
    expect(nextDelay(3 * SECOND, 1, bounds)).toBe(9 * SECOND);
    expect(nextDelay(9 * SECOND, 0, bounds)).toBe(SECOND);
  });

  test('never leaves its bounds, however long the failure lasts', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 50 }), (chances) => {
        let delay: number | undefined;
        for (const random of chances) {
          delay = nextDelay(delay, random, bounds);
          expect(delay).toBeGreaterThanOrEqual(bounds.base);
          expect(delay).toBeLessThanOrEqual(bounds.cap);
        }
      }),
    );
  });
});

describe('backoffBounds', () => {
  test('without a certificate the first try comes soon and later ones every quarter of a minute', () => {
    expect(backoffBounds(undefined)).toEqual({ base: 250, cap: 15 * SECOND });
  });

  test('with one in hand it is a minute, or a twentieth of a short lifetime', () => {
    expect(backoffBounds(issuedNow(24 * HOUR))).toEqual({ base: SECOND, cap: MINUTE });
    expect(backoffBounds(issuedNow(9 * MINUTE))).toEqual({ base: SECOND, cap: 30 * SECOND });
    expect(backoffBounds(issuedNow(5 * SECOND)).cap).toBeGreaterThanOrEqual(SECOND);
  });
});

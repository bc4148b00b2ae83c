import fc from 'fast-check';
import { issuedAt, renewalTime, USUAL_WINDOW, windowFor } from '../../../runtime/policy/renewal.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const now = new Date('2030-06-01T12:00:00Z');
const later = (ms: number) => new Date(now.getTime() + ms);
/** A certificate as step-ca issues it now: dated back by a minute. */
const issuedNow = (lifetime: number) => ({ notBefore: later(-MINUTE), notAfter: later(lifetime) });
const share = fc.double({ min: 0, max: 1, noNaN: true });

describe('a certificate', () => {
  test('was issued a minute after it became valid: the back-dated minute is no lifetime', () => {
    expect(issuedAt(issuedNow(24 * HOUR))).toEqual(now);
  });

  test('for less than two minutes was issued in the middle of them', () => {
    expect(issuedAt({ notBefore: now, notAfter: later(30 * SECOND) })).toEqual(later(15 * SECOND));
  });

  test('is renewed between a half and two thirds of its usable lifetime', () => {
    const { start, end } = USUAL_WINDOW;
    expect([start, end]).toEqual([1 / 2, 2 / 3]);
    expect(renewalTime(issuedNow(24 * HOUR), USUAL_WINDOW, 0)).toEqual(later(12 * HOUR));
    expect(renewalTime(issuedNow(24 * HOUR), USUAL_WINDOW, 1)).toEqual(later(16 * HOUR));
  });

  test('is renewed within what is left of it, where the clock is ahead of the CA', () => {
    const ahead = later(12 * HOUR);
    expect(renewalTime(issuedNow(24 * HOUR), USUAL_WINDOW, 0, ahead)).toEqual(later(18 * HOUR));
    expect(renewalTime(issuedNow(24 * HOUR), USUAL_WINDOW, 1, ahead)).toEqual(later(20 * HOUR));
  });

  test('is never due the moment it is issued, nor after it has expired', () => {
    fc.assert(
      fc.property(fc.integer({ min: 5 * SECOND, max: 10_000 * HOUR }), share, (lifetime, position) => {
        const validity = issuedNow(lifetime);
        const due = renewalTime(validity, USUAL_WINDOW, position).getTime();
        expect(due).toBeGreaterThan(issuedAt(validity).getTime() + lifetime / 8);
        expect(due).toBeLessThan(validity.notAfter.getTime());
      }),
    );
  });
});

describe('the window', () => {
  test('is the usual one while the CA carries those that were issued together', () => {
    expect(windowFor(0, 50, 24 * HOUR)).toEqual(USUAL_WINDOW);
    expect(windowFor(10_000, 50, 24 * HOUR)).toEqual(USUAL_WINDOW);
    expect(windowFor(10_000, 50, HOUR)).toEqual(USUAL_WINDOW);
  });

  test('begins earlier where they are more', () => {
    const { start, end } = windowFor(20_000, 50, HOUR);
    expect(end).toBe(USUAL_WINDOW.end);
    expect(start).toBeCloseTo(2 / 3 - 800 / 3600, 10);
  });

  test('spreads them to half of what the CA carries, or begins at a third', () => {
    const lifetimes = fc.integer({ min: 5 * MINUTE, max: 100 * HOUR });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 10_000_000 }), lifetimes, (together, lifetime) => {
        const { start, end } = windowFor(together, 50, lifetime);
        expect(start).toBeGreaterThanOrEqual(1 / 3);
        expect(start).toBeLessThanOrEqual(USUAL_WINDOW.start);
        const perSecond = together / ((end - start) * (lifetime / SECOND));
        if (start > 1 / 3) expect(perSecond).toBeLessThanOrEqual(25.001);
      }),
    );
  });

  test('is wider the more there are', () => {
    const counts = fc.tuple(fc.nat(1_000_000), fc.nat(1_000_000));
    fc.assert(
      fc.property(counts, ([some, more]) => {
        expect(windowFor(some + more, 50, HOUR).start).toBeLessThanOrEqual(windowFor(some, 50, HOUR).start);
      }),
    );
  });
});

/**
 * When to renew, and when to try again. Pure: time and chance come in as arguments.
 * @module
 */
import type { Validity } from '../x509/certificate.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/** CAs date certificates back, step-ca by a minute, so that clocks may differ. That minute is no lifetime. */
const BACKDATE = MINUTE;

/**
 * When two thirds of the usable lifetime are gone, less up to a twentieth of it, so that pods that started together do
 * not renew together. The back-dated minute does not count (at most half of the lifetime is taken for it): else a
 * certificate for 30 seconds would be due the moment it is issued.
 * @param random from 0 to 1; 0 gives the latest time
 */
export function renewAt({ notBefore, notAfter }: Validity, random: number): Date {
  const whole = notAfter.getTime() - notBefore.getTime();
  const usable = whole - Math.min(BACKDATE, whole / 2);
  return new Date(notAfter.getTime() - usable / 3 - (usable / 20) * random);
}

/** Milliseconds from `now` to {@link renewAt}; never less than a second, never later than expiry. */
export function renewIn(validity: Validity, now: Date, random: number): number {
  const untilExpiry = validity.notAfter.getTime() - now.getTime();
  const untilDue = renewAt(validity, random).getTime() - now.getTime();
  return Math.max(SECOND, Math.min(untilDue, untilExpiry));
}

/** Bounds of a back-off, in milliseconds. */
export interface BackoffBounds {
  readonly base: number;
  readonly cap: number;
}

/**
 * Bounds for tries to get a certificate. With none in hand the pod's start waits for it: begin early. With a good one
 * in hand there is time, but never so much that a short lifetime runs out between two tries.
 */
export function backoffBounds(inHand: Validity | undefined): BackoffBounds {
  if (inHand === undefined) return { base: SECOND / 4, cap: 15 * SECOND };
  const lifetime = inHand.notAfter.getTime() - inHand.notBefore.getTime();
  return { base: SECOND, cap: Math.max(SECOND, Math.min(MINUTE, lifetime / 20)) };
}

/**
 * Decorrelated jitter: a time between `base` and three times the previous wait, up to `cap`. It spreads the tries of
 * many pods better than doubling does.
 * @param previous the wait before, `undefined` after the first failure
 * @param random from 0 to 1
 */
export function nextDelay(previous: number | undefined, random: number, { base, cap }: BackoffBounds): number {
  const ceiling = Math.max(base, (previous ?? base) * 3);
  return Math.min(cap, base + (ceiling - base) * random);
}

/**
 * When a certificate is to be renewed. Pure: time and chance come in as arguments.
 * @module
 */
import { BACKDATE_MS } from './lifetimes.ts';

/** Shares of the usable lifetime, 0 to 1, between which to renew. */
export interface RenewalWindow {
  readonly start: number;
  readonly end: number;
}

/** When a certificate is valid. */
interface Validity {
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/** A sixth of the lifetime before two thirds of it are gone: then a third is left for whatever goes wrong. */
export const USUAL_WINDOW: RenewalWindow = { start: 1 / 2, end: 2 / 3 };
/** The widest window starts here. */
const EARLIEST_START = 1 / 3;

/** When it was issued: the back-dated minute does not count. Of a very short lifetime at most half is taken for it. */
export function issuedAt({ notBefore, notAfter }: Validity): Date {
  const whole = notAfter.getTime() - notBefore.getTime();
  return new Date(notBefore.getTime() + Math.min(BACKDATE_MS, whole / 2));
}

/**
 * The time at `position` (0: its start, 1: its end) of the window.
 * @param from where the usable lifetime begins; later than {@link issuedAt} for whoever's clock is ahead of the CA's
 */
export function renewalTime(
  validity: Validity,
  { start, end }: RenewalWindow,
  position: number,
  from: Date = issuedAt(validity),
): Date {
  const usable = validity.notAfter.getTime() - from.getTime();
  return new Date(from.getTime() + usable * (start + (end - start) * position));
}

/**
 * A window so wide that certificates issued together are renewed at no more than half of what the CA carries.
 * @param together certificates that were issued within a minute or so
 * @param perSecond certificates a second that the CA carries
 */
export function windowFor(together: number, perSecond: number, lifetimeMs: number): RenewalWindow {
  const { start, end } = USUAL_WINDOW;
  const wanted = (2 * together) / perSecond / (lifetimeMs / 1000);
  return { start: Math.max(EARLIEST_START, Math.min(start, end - wanted)), end };
}

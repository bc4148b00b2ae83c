/**
 * Lifetimes: what the provisioner allows, and from when to when a certificate is valid.
 * @module
 */
import { AutocertError, messageOf } from '../lib/errors.ts';
import { formatDuration, parseDuration } from '../policy/duration.ts';
import { BACKDATE_MS } from '../policy/lifetimes.ts';
import type { ValidityPeriod } from '../x509/signing.ts';
import { badRequest, forbidden } from './refusal.ts';

/** Limits, as step-ca's `claims` have them. */
export interface Claims {
  readonly minMs: number;
  readonly maxMs: number;
  readonly defaultMs: number;
  readonly disableRenewal: boolean;
  readonly allowRenewalAfterExpiry: boolean;
}

/** step-ca's own limits. */
export const DEFAULT_CLAIMS: Claims = {
  minMs: 5 * 60_000,
  maxMs: 24 * 3_600_000,
  defaultMs: 24 * 3_600_000,
  disableRenewal: false,
  allowRenewalAfterExpiry: false,
};

/** Asked-for times: Go durations or RFC 3339 times. */
export interface AskedValidity {
  readonly notBefore?: string;
  readonly notAfter?: string;
}

/** Claims of a provisioner, or of the CA, over the more general ones. */
export function overrideClaims(base: Claims, claims: Readonly<Record<string, unknown>>, where: string): Claims {
  const duration = (name: string, fallback: number) => {
    const value = claims[name];
    if (value === undefined) return fallback;
    try {
      return parseDuration(String(value));
    } catch (error) {
      throw new AutocertError('INVALID_CONFIG', `${where}.${name}: ${messageOf(error)}`);
    }
  };
  const flag = (name: string, fallback: boolean) => (claims[name] === undefined ? fallback : claims[name] === true);
  const merged = {
    minMs: duration('minTLSCertDuration', base.minMs),
    maxMs: duration('maxTLSCertDuration', base.maxMs),
    defaultMs: duration('defaultTLSCertDuration', base.defaultMs),
    disableRenewal: flag('disableRenewal', base.disableRenewal),
    allowRenewalAfterExpiry: flag('allowRenewalAfterExpiry', base.allowRenewalAfterExpiry),
  };
  const { minMs, defaultMs, maxMs } = merged;
  if (minMs <= defaultMs && defaultMs <= maxMs) return merged;
  throw new AutocertError(
    'INVALID_CONFIG',
    `${where}: wanted minTLSCertDuration ≤ defaultTLSCertDuration ≤ maxTLSCertDuration, got ${[minMs, defaultMs, maxMs].map(formatDuration).join(', ')}`,
  );
}

/** From when to when: as asked, within the limits; the back-dated minute comes on top, as in step-ca. */
export function validityFor(asked: AskedValidity, { minMs, maxMs, defaultMs }: Claims, now: Date): ValidityPeriod {
  const start = timeOf('notBefore', asked.notBefore, now);
  const notAfter = timeOf('notAfter', asked.notAfter, start ?? now) ?? new Date(+(start ?? now) + defaultMs);
  const notBefore = start ?? new Date(+now - BACKDATE_MS);
  // Whole seconds, as certificates have them: a time that was cut to them must not be a fraction too long.
  const lifetime = wholeSeconds(+notAfter) - wholeSeconds(+notBefore);
  if (+notAfter < +now) throw badRequest(`notAfter ${notAfter.toISOString()} is in the past`);
  if (lifetime < 0)
    throw badRequest(`notAfter ${notAfter.toISOString()} is before notBefore ${notBefore.toISOString()}`);
  if (lifetime > maxMs + BACKDATE_MS) {
    throw forbidden(
      `a lifetime of ${formatDuration(lifetime)} is longer than the provisioner's maximum, ${formatDuration(maxMs)}`,
    );
  }
  if (lifetime < minMs) {
    throw forbidden(
      `a lifetime of ${formatDuration(lifetime)} is shorter than the provisioner's minimum, ${formatDuration(minMs)}`,
    );
  }
  return { notBefore, notAfter };
}

const wholeSeconds = (ms: number) => Math.floor(ms / 1000) * 1000;

const RFC_3339 = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;

/** `undefined`: nothing was asked. Durations count from `base`. */
function timeOf(field: string, text: string | undefined, base: Date): Date | undefined {
  if (text === undefined || text === '') return undefined;
  const time = RFC_3339.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(time)) return new Date(time);
  try {
    return text.startsWith('-')
      ? new Date(+base - parseDuration(text.slice(1)))
      : new Date(+base + parseDuration(text));
  } catch {
    throw badRequest(
      `${field} ${JSON.stringify(text.slice(0, 64))} has to be a duration such as 1h30m, or a time such as 2027-01-01T00:00:00Z`,
    );
  }
}

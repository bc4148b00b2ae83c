/**
 * Durations as Go writes them (`1h30m`), which is how step-ca and the annotation `duration` have them.
 * @module
 */
import { AutocertError } from '../lib/errors.ts';

/** Milliseconds of each unit. */
const UNITS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};

const PART = /(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)/gy;

/** Longest string looked at. */
export const MAX_DURATION_LENGTH = 64;
/** Longest duration taken: what a Go duration can hold, about 292 years. */
const MAX_MS = 2 ** 63 / 1e6;

/**
 * Milliseconds of a duration in Go syntax: numbers with a unit (`h`, `m`, `s`, `ms`, `us`, `ns`), one after another.
 * @throws AutocertError `INVALID_INPUT`, naming what is wanted, when it is anything else, or negative.
 */
export function parseDuration(text: string): number {
  if (text === '0') return 0;
  let total = 0;
  let end = 0;
  if (text.length <= MAX_DURATION_LENGTH) {
    for (const [part, number = '', unit = ''] of text.matchAll(PART)) {
      total += Number(number) * (UNITS[unit] ?? Number.NaN);
      end += part.length;
    }
  }
  if (end === 0 || end !== text.length || !(total <= MAX_MS)) {
    throw new AutocertError(
      'INVALID_INPUT',
      `${JSON.stringify(text.slice(0, MAX_DURATION_LENGTH))} is not a duration: write numbers with a unit (h, m, s), such as 24h, 90m or 1h30m`,
    );
  }
  return total;
}

/** The shortest Go syntax of a duration given in milliseconds: `24h`, `1h30m`, `1m30s`, `1.5s`, `0s`. */
export function formatDuration(ms: number): string {
  const hours = Math.floor(ms / 3_600_000);
  const minutes = Math.floor((ms % 3_600_000) / 60_000);
  const seconds = (ms % 60_000) / 1_000;
  const text = `${hours ? `${hours}h` : ''}${minutes ? `${minutes}m` : ''}${seconds ? `${decimal(seconds)}s` : ''}`;
  return text || '0s';
}

/** At most nine digits after the point (Go's nanoseconds), never in exponent form. */
function decimal(seconds: number): string {
  return seconds.toFixed(9).replace(/\.?0+$/, '');
}

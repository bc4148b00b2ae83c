/**
 * Time as people read it. Pure.
 * @module
 */

const UNITS = [
  ['year', 365 * 86_400],
  ['day', 86_400],
  ['h', 3_600],
  ['min', 60],
  ['s', 1],
] as const;

/** A length of time, by its largest units: `3 h 12 min`, `29 days`. */
export function lengthText(ms: number, most = 2): string {
  let seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds === 0) return '0 s';
  const parts: string[] = [];
  for (const [unit, size] of UNITS) {
    const count = Math.floor(seconds / size);
    seconds -= count * size;
    if (count > 0) parts.push(`${count} ${unit}${count > 1 && size >= 86_400 ? 's' : ''}`);
    // A certificate of ninety days is not told to the minute.
    if (parts.length === most || (parts.length === 1 && (count > 9 || seconds === 0) && size >= 86_400)) break;
    if (parts.length === 1 && count === 0) break;
  }
  return parts.join(' ');
}

/** When something ends, seen from now. */
export function endText(end: number, now: number): string {
  return end > now ? `in ${lengthText(end - now)}` : `${lengthText(now - end)} ago`;
}

/** Part of a certificate's life that is left, 0 to 1; `undefined`: its beginning is not known. */
export function shareLeft(begin: string | undefined, end: string | undefined, now: number): number | undefined {
  const [from, to] = [Date.parse(begin ?? ''), Date.parse(end ?? '')];
  if (!(to > from)) return undefined;
  return Math.min(1, Math.max(0, (to - now) / (to - from)));
}

/** A time of the day, of this machine. */
export function clockText(time: Date): string {
  return time.toLocaleTimeString('en-GB');
}

/**
 * From when on the end of an authority is told, by every command that tells it.
 * @module
 */

/** A day in milliseconds. */
const DAY_MS = 24 * 3_600_000;

/** Days before the end from which on it is told: as the alerts that are critical. */
const SOON_DAYS = { root: 180, intermediate: 30 } as const;

/** Whole days until then; negative: it is over. */
export function daysUntil(end: Date | string, now: Date | number): number {
  return Math.floor((new Date(end).getTime() - new Date(now).getTime()) / DAY_MS);
}

/** Whether so few days are left that somebody should act. */
export function endsSoon(kind: keyof typeof SOON_DAYS, days: number): boolean {
  return days < SOON_DAYS[kind];
}

/**
 * The API server's clock, beside this machine's.
 * @module
 */
import { AutocertError } from '../../lib/errors.ts';
import type { Connection } from '../cluster-connection.ts';
import { excerpt, MAX_TEXT } from '../terminal.ts';
import type { Clock } from './facts.ts';

/** {@link Clock}, and what else the API server says of itself. */
export interface ServerClock extends Clock {
  /** What its clock shows now. Absent: it does not say. */
  readonly nowOfServer?: () => Date;
  /** Such as `1.37`. */
  readonly version?: string;
}

/** The header `Date` has seconds. */
const RESOLUTION_MS = 1000;

/**
 * Asks it.
 * @throws AutocertError `UNAVAILABLE` and `UNAUTHENTICATED`: it cannot be asked
 */
export async function serverClock(
  api: Pick<Connection['api'], 'text'>,
  now: () => Date,
  monotonic: () => number,
): Promise<ServerClock> {
  const before = now();
  const { status, text, date } = await api.text('/version');
  const [after, at] = [now(), monotonic()];
  if (status === 401) {
    throw new AutocertError('UNAUTHENTICATED', `the API server does not know you: ${excerpt(text, MAX_TEXT)}`, {
      status,
    });
  }
  const version = versionIn(text);
  return {
    local: after,
    aheadMs: date ? distance(date.getTime(), before.getTime() - RESOLUTION_MS, after.getTime()) : 0,
    ...(date && { server: date, nowOfServer: () => new Date(date.getTime() + (monotonic() - at)) }),
    ...(version !== undefined && { version }),
  };
}

/** How far a point is from a stretch of time; 0: in it. */
function distance(point: number, from: number, to: number): number {
  if (point > to) return point - to;
  return point < from ? point - from : 0;
}

function versionIn(text: string): string | undefined {
  const [, major] = /"major"\s*:\s*"(\d{1,3})"/.exec(text) ?? [];
  const [, minor] = /"minor"\s*:\s*"(\d{1,3})/.exec(text) ?? [];
  return major === undefined || minor === undefined ? undefined : `${major}.${minor}`;
}

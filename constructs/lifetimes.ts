/**
 * How long certificates live, in the cluster and at the CA.
 * @module
 */
import { Duration } from 'cdk8s';
import { formatDuration } from '../runtime/policy/duration.ts';
import { checkOptional, refuse } from './validation.ts';

/** Lifetimes of certificates. */
export interface LifetimeProps {
  /** Lifetime of a certificate whose pod asks for none. @default - 24 hours, or `maxDuration` if that is shorter */
  readonly defaultDuration?: Duration;
  /** Shortest lifetime that can be asked for. @default Duration.minutes(5) */
  readonly minDuration?: Duration;
  /** Longest lifetime that can be asked for. @default - 24 hours, or `defaultDuration` if that is longer */
  readonly maxDuration?: Duration;
}

/** The three lifetimes, in order. */
export interface Lifetimes {
  readonly defaultDuration: Duration;
  readonly minDuration: Duration;
  readonly maxDuration: Duration;
}

/** Hours that no certificate lives: eleven years. What the policies' CEL reads of a duration stays below (`cel.ts`). */
const TOO_MANY_HOURS = 100_000;

/** A duration in Go's syntax, `24h` or `1h30m`, as step-ca and our programs read it. */
export function goDuration(duration: Duration): string {
  return formatDuration(milliseconds(duration));
}

/** A lifetime: whole seconds, and more than none. */
export function checkDuration(prop: string, value: unknown): Duration {
  if (!isDuration(value)) return refuse(prop, value, 'it takes a Duration, such as Duration.hours(24)');
  const seconds = milliseconds(value) / 1000;
  if (Number.isInteger(seconds) && seconds > 0 && seconds < TOO_MANY_HOURS * 3600) return value;
  return refuse(prop, goDuration(value), `it takes whole seconds, more than none and less than ${TOO_MANY_HOURS}h`);
}

/** An app may have another copy of cdk8s than this package, so `instanceof` would not do. */
export function isDuration(value: unknown): value is Duration {
  return typeof (value as Duration | null | undefined)?.toMilliseconds === 'function';
}

/** That `shorter` is not longer than `longer`. */
export function checkOrder(shorter: [prop: string, Duration], longer: [prop: string, Duration]): void {
  if (milliseconds(shorter[1]) <= milliseconds(longer[1])) return;
  refuse(shorter[0], goDuration(shorter[1]), `it must not exceed ${longer[0]}, ${goDuration(longer[1])}`);
}

/** Fills in what is not given, and refuses an order in which no certificate could be issued. */
export function checkLifetimes(props: LifetimeProps): Lifetimes {
  const given = (prop: keyof LifetimeProps) => checkOptional(prop, props[prop], checkDuration);
  const day = Duration.hours(24);
  const [usual, longest] = [given('defaultDuration'), given('maxDuration')];
  const defaultDuration = usual ?? (longest && isLonger(day, longest) ? longest : day);
  const maxDuration = longest ?? (isLonger(defaultDuration, day) ? defaultDuration : day);
  const minDuration = given('minDuration') ?? Duration.minutes(5);
  checkOrder(['minDuration', minDuration], ['defaultDuration', defaultDuration]);
  checkOrder(['defaultDuration', defaultDuration], ['maxDuration', maxDuration]);
  return { defaultDuration, minDuration, maxDuration };
}

/** The three as configuration files have them. */
export function goLifetimes(lifetimes: Lifetimes) {
  return {
    defaultDuration: goDuration(lifetimes.defaultDuration),
    minDuration: goDuration(lifetimes.minDuration),
    maxDuration: goDuration(lifetimes.maxDuration),
  };
}

function isLonger(one: Duration, other: Duration): boolean {
  return milliseconds(one) > milliseconds(other);
}

function milliseconds(duration: Duration): number {
  return duration.toMilliseconds({ integral: false });
}

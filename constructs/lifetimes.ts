/**
 * How long certificates live, in the cluster and at the CA.
 * @module
 */
import { Duration } from 'cdk8s';
import { checkOrder, goDuration } from './validation.ts';

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

/** Fills in what is not given, and refuses an order in which no certificate could be issued. */
export function checkLifetimes(props: LifetimeProps): Lifetimes {
  const day = Duration.hours(24);
  const isLonger = (one: Duration, other: Duration) => one.toMilliseconds() > other.toMilliseconds();
  const defaultDuration =
    props.defaultDuration ?? (props.maxDuration && isLonger(day, props.maxDuration) ? props.maxDuration : day);
  const maxDuration = props.maxDuration ?? (isLonger(defaultDuration, day) ? defaultDuration : day);
  const minDuration = props.minDuration ?? Duration.minutes(5);
  checkOrder(['minDuration', minDuration], ['defaultDuration', defaultDuration]);
  checkOrder(['defaultDuration', defaultDuration], ['maxDuration', maxDuration]);
  return { defaultDuration, minDuration, maxDuration };
}

/** The three as configuration files have them. */
export function goLifetimes(lifetimes: Lifetimes) {
  return {
    defaultDuration: goDuration('defaultDuration', lifetimes.defaultDuration),
    minDuration: goDuration('minDuration', lifetimes.minDuration),
    maxDuration: goDuration('maxDuration', lifetimes.maxDuration),
  };
}

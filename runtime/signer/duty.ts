/**
 * What the leader does again and again while it is in office.
 * @module
 */
import type { Log } from '../lib/log.ts';
import { type BackoffBounds, repeat, type Sleep } from '../lib/loops.ts';

/** One of the leader's duties. */
export interface Duty {
  /** Names it in the log when it fails. */
  readonly what: string;
  /** Pause after a success, milliseconds. */
  readonly everyMs: number | (() => number);
  /** Bounds of the pauses after failures. @default - those of `repeat` */
  readonly backoff?: BackoffBounds;
  /** Does it once, or for as long as the leader is in office: until `signal` aborts. */
  readonly run: (signal: AbortSignal) => Promise<void>;
}

/** Does a duty until `signal` aborts; never rejects. */
export function fulfil(duty: Duty, signal: AbortSignal, ports: { sleep: Sleep; log: Log }): Promise<void> {
  const { run, ...repetition } = duty;
  return repeat(() => run(signal), { ...repetition, ...ports, signal });
}

/**
 * The one kit for sleeping, repeating and backing off. Every timer is clamped to what a timer can hold, every loop has a
 * least interval, and whoever asked for patience (`Retry-After`) is given it.
 * @module
 */
import { AutocertError, messageOf } from './errors.ts';
import type { Log } from './log.ts';

/** Longest sleep: Node's timers hold 2³¹ − 1 ms, and fire at once above. A loop that sleeps longer looks again before. */
export const LONGEST_SLEEP_MS = 3_600_000;
/** Shortest pause of a loop, after a success as well. */
export const LEAST_PAUSE_MS = 1_000;

/** Resolves after `ms`, or as soon as `signal` aborts; never rejects. */
export type Sleep = (ms: number, signal: AbortSignal) => Promise<void>;

/** {@link Sleep} by the machine's timers. What is no number, or too large a one, is clamped to {@link LONGEST_SLEEP_MS}. */
export const sleep: Sleep = (ms, signal) => {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, clamp(ms, 0, LONGEST_SLEEP_MS));
    signal.addEventListener('abort', done);
  });
};

/** `value` within bounds; `most` when it is no number. */
export function clamp(value: number, least: number, most: number): number {
  return Number.isNaN(value) ? most : Math.min(Math.max(value, least), most);
}

/** Bounds of a back-off, milliseconds. */
export interface BackoffBounds {
  readonly base: number;
  readonly cap: number;
}

/**
 * Decorrelated jitter: a time between `base` and three times the previous wait, up to `cap`. It spreads the tries of
 * many better than doubling does.
 * @param previous the wait before; `undefined` after the first failure
 * @param random from 0 to 1
 */
export function nextDelay(previous: number | undefined, random: number, { base, cap }: BackoffBounds): number {
  const ceiling = Math.max(base, (previous ?? base) * 3);
  return Math.min(cap, base + (ceiling - base) * random);
}

/** Milliseconds that a peer asked to be left alone for, by `Retry-After`; `undefined`: it did not. */
export function retryAfterMs(error: unknown): number | undefined {
  return error instanceof AutocertError ? error.retryAfterMs : undefined;
}

/** How a task is repeated. */
export interface Repetition {
  /** Names the task in the log; absent: whoever wants something of it reports its failures. */
  readonly what?: string;
  /** Pause after a success, milliseconds; at least {@link LEAST_PAUSE_MS}. */
  readonly everyMs: number | (() => number);
  /** Bounds of the pauses after failures. @default - from 250 ms to 15 s, and never longer than `everyMs` */
  readonly backoff?: BackoffBounds;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** @default {@link sleep} */
  readonly sleep?: Sleep;
  /** In [0, 1). @default Math.random */
  readonly random?: () => number;
  /** Learns why the last attempt failed; `undefined`: it did not. */
  readonly onOutcome?: (problem: string | undefined) => void;
}

const BACKOFF: BackoffBounds = { base: 250, cap: 15_000 };

/** Runs `task` until the signal aborts; never rejects. After a failure soon again, with decorrelated jitter. */
export async function repeat(task: () => Promise<void>, repetition: Repetition): Promise<void> {
  const { what, everyMs, log, signal, sleep: pause = sleep, random = Math.random, onOutcome } = repetition;
  const usual = () => clamp(typeof everyMs === 'number' ? everyMs : everyMs(), LEAST_PAUSE_MS, LONGEST_SLEEP_MS);
  let delay: number | undefined;
  while (!signal.aborted) {
    try {
      await task();
      onOutcome?.(undefined);
      delay = undefined;
    } catch (error) {
      if (signal.aborted) return;
      const reason = messageOf(error);
      onOutcome?.(reason);
      const bounds = repetition.backoff ?? { ...BACKOFF, cap: Math.min(BACKOFF.cap, usual()) };
      delay = Math.max(nextDelay(delay, random(), bounds), retryAfterMs(error) ?? 0);
      if (what !== undefined) log.warn({ reason, retryInMs: Math.round(delay) }, what);
    }
    await pause(delay ?? usual(), signal);
  }
}

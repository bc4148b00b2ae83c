/**
 * Work that is done over and over while a program runs.
 * @module
 */
import { setTimeout } from 'node:timers/promises';
import { messageOf } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { nextDelay } from '../lib/schedule.ts';

/** How a task is repeated. */
export interface Repetition {
  /** Names the task in the log. */
  readonly what: string;
  /** Pause after a success, milliseconds. */
  readonly everyMs: number;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** Learns why the last attempt failed; `undefined`: it did not. */
  readonly onOutcome: (problem: string | undefined) => void;
}

/** Waits; resolves early, and never rejects, when `signal` aborts. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await setTimeout(ms, undefined, { signal }).catch(() => {});
}

/** Runs `task` until the signal aborts; after a failure soon again, with decorrelated jitter. */
export async function repeat(task: () => Promise<void>, repetition: Repetition): Promise<void> {
  const { what, everyMs, log, signal, onOutcome } = repetition;
  let delay: number | undefined;
  while (!signal.aborted) {
    try {
      await task();
      onOutcome(undefined);
      delay = undefined;
    } catch (error) {
      if (signal.aborted) return;
      const reason = messageOf(error);
      onOutcome(reason);
      delay = nextDelay(delay, Math.random(), { base: 250, cap: Math.min(everyMs, 15_000) });
      log.warn({ reason, retryInMs: Math.round(delay) }, what);
    }
    await pause(delay ?? everyMs, signal);
  }
}

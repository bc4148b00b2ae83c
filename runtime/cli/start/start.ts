/**
 * `autocert start`: goes the whole way in a temporary folder and leaves nothing behind.
 * @module
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AutocertError } from '../../lib/errors.ts';
import { furnish } from './parts.ts';
import { Processes } from './processes.ts';
import { jsonScreen, terminalScreen } from './screen.ts';
import { goTheWay } from './way.ts';

/** Flags of `autocert start`. */
export interface StartOptions {
  /** Manifest of the workload to inject. */
  readonly file: string;
  /** End after the first renewal. */
  readonly once: boolean;
  /** JSON lines for programs. */
  readonly json: boolean;
}

/**
 * Runs until the signal, or until the first renewal.
 * @throws AutocertError when a part fails, the pod is refused, or a request failed during a renewal
 */
export async function start({ file, once, json }: StartOptions, stop: AbortSignal): Promise<void> {
  const write = (text: string) => process.stdout.write(text);
  const screen = json
    ? jsonScreen(write)
    : terminalScreen(write, process.stdout.isTTY === true && !process.env.NO_COLOR);
  const dir = mkdtempSync(join(tmpdir(), 'autocert-start-'));
  furnish(dir);
  const processes = new Processes(join(dir, 'log'));
  const finished = new AbortController();
  const signal = AbortSignal.any([stop, finished.signal]);
  const stopped = new Promise<undefined>((resolve) =>
    stop.addEventListener('abort', () => resolve(undefined), { once: true }),
  );
  screen.text(`Everything is in ${dir}, on loopback, and goes away at the end.`);
  try {
    const program = process.argv[1] ?? '';
    const way = goTheWay({ dir, processes, program, signal }, screen, { file, once });
    const outcome = await Promise.race([way, processes.failed, stopped]);
    if (outcome && outcome.traffic.failures > 0) {
      throw new AutocertError('UNAVAILABLE', `${outcome.traffic.failures} requests failed during renewals`);
    }
    if (outcome)
      screen.event('done', `${outcome.renewals} renewals, ${outcome.traffic.greetings} requests, none failed`, {
        ...outcome,
      });
  } finally {
    finished.abort();
    await processes.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

/**
 * `autocert start`: the demo, in a temporary folder of which nothing is left behind.
 * @module
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AutocertError } from '../../lib/errors.ts';
import { endWanted } from '../end-wanted.ts';
import { jsonReporter, textReporter } from '../reporter.ts';
import { colourWanted, excerpt, MAX_TEXT } from '../terminal.ts';
import { ChildProcesses } from './child-processes.ts';
import { runScenario } from './scenario.ts';

/** Flags of `autocert start`. */
export interface DemoOptions {
  /** Manifest of the workload to inject. @default - the tutorial's `sleep` */
  readonly file?: string | undefined;
  /** End after the first renewal. */
  readonly once: boolean;
  /** JSON lines for programs. */
  readonly json: boolean;
}

/**
 * Runs until somebody wants it to end, or until the first renewal of both pods.
 * @throws AutocertError when a part fails, the pod is refused, or a request failed during a renewal
 */
export async function runDemo({ file, once, json }: DemoOptions): Promise<void> {
  const stop = endWanted();
  const write = (text: string) => stop.aborted || process.stdout.write(text);
  const colour = colourWanted(process.stdout, process.env);
  const reporter = json ? jsonReporter(write) : textReporter(write, colour);
  const dir = mkdtempSync(join(tmpdir(), 'autocert-start-'));
  const children = new ChildProcesses(join(dir, 'log'));
  const leaveNothing = () => {
    children.kill();
    rmSync(dir, { recursive: true, force: true });
  };
  process.once('exit', leaveNothing); // for whatever ends this process without the `finally` below
  const finished = new AbortController();
  const signal = AbortSignal.any([stop, finished.signal]);
  const stopped = new Promise<undefined>((resolve) => stop.addEventListener('abort', () => resolve(undefined)));
  reporter.text(`Everything is in ${dir}, on loopback, and goes away at the end.`);
  try {
    const program = process.argv[1] ?? '';
    const scenario = runScenario({ dir, children, program, signal }, reporter, { file, once });
    const outcome = await Promise.race([scenario, children.failed, stopped]);
    if (!outcome) return;
    const { renewals, traffic } = outcome;
    if (traffic.failures > 0) {
      const { failures, lastFailure = '' } = traffic;
      throw new AutocertError(
        'UNAVAILABLE',
        `${failures} requests failed during renewals, the last one with: ${excerpt(lastFailure, MAX_TEXT)}`,
      );
    }
    reporter.event('done', `${renewals} renewals, ${traffic.greetings} requests, none failed`, { ...outcome });
  } finally {
    finished.abort();
    await children.stop();
    leaveNothing();
  }
}

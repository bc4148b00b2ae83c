/**
 * The steps on two nodes at once, each with its half. One node waits most of the time: for kubelet, for a renewal, for what
 * is to be seen. The other works then.
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { prepare } from './clusters.ts';
import { NODE_IS_UP, type Run } from './runs.ts';
import type { Half } from './steps/index.ts';

/** How the run of a half ended. */
interface HalfOutcome {
  readonly code: number;
  readonly passed: number;
  readonly failed: number;
}

/** Runs both halves; each line that they print says of which it is. Returns the exit code. */
export async function sideBySide(run: Run): Promise<number> {
  const { print, stop } = run;
  if (process.env.KUBECONFIG) return refuse(print, '--side-by-side brings two nodes up: unset KUBECONFIG');
  await prepare(run);
  const children: ChildProcess[] = [];
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      stop.abort();
      for (const child of children) child.kill(signal); // they take their nodes down, then this ends
    });
  }
  const first = startHalf(1, run, children);
  await Promise.race([first.up, first.outcome]); // until then it builds what the other would build at the same time
  const second = stop.signal.aborted ? [] : [startHalf(2, run, children).outcome];
  const outcomes = await Promise.all([first.outcome, ...second]);
  const sum = (what: 'passed' | 'failed') => outcomes.reduce((total, outcome) => total + outcome[what], 0);
  print(`${sum('passed')} passed, ${sum('failed')} failed`); // alone on its line: CI counts by it
  return outcomes.every(({ code }) => code === 0) ? 0 : 1;
}

function refuse(print: (line: string) => void, why: string): number {
  print(why);
  return 1;
}

/** Starts the run of a half. `up`: its node is there. */
function startHalf(
  half: Half,
  { choice, print }: Run,
  children: ChildProcess[],
): { readonly up: Promise<void>; readonly outcome: Promise<HalfOutcome> } {
  const flags = [`--half=${half}`, ...(choice.long ? ['--long'] : [])];
  const child = spawn(process.execPath, [join(import.meta.dirname, 'main.ts'), ...flags], {
    detached: true, // Ctrl-C reaches it once, from here: a second one would end it before its node
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  const up = Promise.withResolvers<void>();
  let [passed, failed] = [0, 0];
  createInterface({ input: child.stdout }).on('line', (line) => {
    print(`${half} ${line}`);
    if (line.includes(NODE_IS_UP)) up.resolve();
    const [, ...counts] = /^(\d+) passed, (\d+) failed$/.exec(line) ?? [];
    if (counts.length > 0) [passed = 0, failed = 0] = counts.map(Number);
  });
  const outcome = once(child, 'close').then(([code]) => ({ code: (code as number | null) ?? 1, passed, failed }));
  return { up: up.promise, outcome };
}

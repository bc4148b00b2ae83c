/**
 * Runs steps one after the other, a line each with its time, and shows the state of the cluster when one fails.
 * @module
 */
import type { Step } from './context.ts';

/** How a run ended. */
export interface Outcome {
  readonly passed: number;
  readonly failed: readonly string[];
}

/** What the runner does besides running steps. */
export interface RunnerPorts {
  readonly print: (line: string) => void;
  /** The state of the cluster, for whoever has to find out why a step failed. */
  readonly diagnose: () => Promise<string>;
  readonly signal: AbortSignal;
}

/** What runs where nothing is chosen: with `long`, all of it. */
export function usualOf(steps: readonly Step[], long: boolean): Step[] {
  return steps.filter((step) => long || step.long !== true);
}

/** The steps that a selection names (by the beginning of the id, or by words of the name), and those it rests upon. */
export function select(steps: readonly Step[], only: readonly string[]): Step[] {
  if (only.length === 0) return [...steps];
  const chosen = (step: Step) =>
    only.some((word) => `${step.id}.`.startsWith(`${word}.`) || (/[a-z]/i.test(word) && step.name.includes(word)));
  const last = steps.findLastIndex(chosen);
  if (last < 0) throw new Error(`no step is called ${only.map((word) => JSON.stringify(word)).join(', ')}; see --list`);
  const wanted = new Set<string>();
  return steps
    .slice(0, last + 1)
    .toReversed() // what a step rests upon is before it
    .filter((step) => {
      if (step.base !== true && !chosen(step) && !wanted.has(step.id)) return false;
      for (const id of step.restsOn ?? []) wanted.add(id);
      return true;
    })
    .toReversed();
}

/** The steps of these numbers each rest upon those of their number before them. */
export function inOrder(steps: readonly Step[], numbers: readonly string[]): Step[] {
  const before = new Map<string, string[]>(numbers.map((number) => [number, []]));
  return steps.map((step) => {
    const earlier = before.get(step.id.split('.')[0] ?? '');
    if (earlier === undefined) return step;
    const restsOn = [...(step.restsOn ?? []), ...earlier];
    earlier.push(step.id);
    return { ...step, restsOn };
  });
}

/** Runs the steps. A failed step does not keep the following from running, unless they rest upon it. */
export async function runSteps(steps: readonly Step[], { print, diagnose, signal }: RunnerPorts): Promise<Outcome> {
  const failed: string[] = [];
  let passed = 0;
  for (const step of steps) {
    if (signal.aborted) break;
    const started = Date.now();
    const line = (result: string) => `${result} ${step.id.padEnd(5)} ${step.name} (${seconds(started)})`;
    try {
      await step.run();
      passed++;
      print(line('ok    '));
    } catch (error) {
      if (signal.aborted) break;
      failed.push(`${step.id} ${step.name}`);
      print(line('FAILED'));
      print(indent(textOf(error)));
      print(indent(await diagnose().catch((cause: unknown) => `no state of the cluster: ${textOf(cause)}`)));
      if (step.base === true) {
        print(`the steps after ${step.id} rest upon it and are left out`);
        break;
      }
    }
  }
  for (const { end } of steps.toReversed()) await end?.();
  return { passed, failed };
}

/** Time since `started`, for people. */
export function seconds(started: number): string {
  return `${((Date.now() - started) / 1000).toFixed(1)} s`;
}

function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : `\ncaused by: ${textOf(error.cause)}`;
  return `${error.stack ?? error.message}${cause}`;
}

function indent(text: string): string {
  return text.replace(/^/gm, '    ');
}

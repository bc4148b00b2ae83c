/**
 * What commands show of what takes its time, the demo among them: a line a step for people (colour only on a terminal), or
 * a JSON object a line for programs (`--json`).
 * @module
 */

import type { Pod } from './demo/pod-file.ts';
import { diffLines, diffStyle } from './pod-diff.ts';
import { painter } from './terminal.ts';

/** Facts of a finished step, for `--json`. */
export type Facts = Readonly<Record<string, unknown>>;

/** Shows progress. */
export interface Reporter {
  /** Runs one step and shows how it went and how long it took. The step answers with a line for people and the facts. */
  step<T>(name: string, run: () => Promise<{ line: string; facts?: Facts; value: T }>): Promise<T>;
  /** Text that belongs to the step before, indented. */
  text(text: string): void;
  /** What injection changed in a pod: a unified diff of its YAML. */
  diff(before: Pod, after: Pod): void;
  /** Something that happened by itself, such as a renewal. */
  event(name: string, line: string, facts: Facts): void;
}

type Write = (text: string) => void;

const INDENT = '              ';

/** For people. */
export function textReporter(write: Write, colour: boolean, now: () => number = Date.now): Reporter {
  const paint = painter(colour);
  const label = (name: string) => paint('bold', name.padEnd(11));
  return {
    async step(name, run) {
      const start = now();
      try {
        const { line, value } = await run();
        const seconds = paint('dim', `${((now() - start) / 1000).toFixed(2)} s`);
        write(`${paint('green', '✔')} ${label(name)} ${line}  ${seconds}\n`);
        return value;
      } catch (error) {
        write(`${paint('red', '✘')} ${label(name)}\n`);
        throw error;
      }
    },
    text: (text) => write(`${text.trimEnd().replace(/^/gm, INDENT)}\n`),
    diff: (before, after) => {
      for (const line of diffLines(before, after)) write(`${INDENT}${paint(diffStyle(line), line)}\n`);
    },
    event: (name, line) => write(`${paint('cyan', '↻')} ${label(name)} ${line}\n`),
  };
}

/** For programs: one JSON object a line, `{"step": …, "seconds": …, …}`. */
export function jsonReporter(write: Write, now: () => number = Date.now): Reporter {
  const emit = (value: Facts) => write(`${JSON.stringify(value)}\n`);
  return {
    async step(name, run) {
      const start = now();
      const { facts, value } = await run();
      emit({ step: name, seconds: (now() - start) / 1000, ...facts });
      return value;
    },
    text: () => {},
    diff: (before, after) => emit({ diff: diffLines(before, after) }),
    event: (name, _line, facts) => emit({ event: name, ...facts }),
  };
}

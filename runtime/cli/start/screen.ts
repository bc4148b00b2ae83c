/**
 * What `autocert start` shows: a line a step for people (colour only on a terminal), or a JSON object a line for
 * programs (`--json`).
 * @module
 */
import { styleText } from 'node:util';
import type { DiffLine } from './pod-diff.ts';

/** Facts of a finished step, for `--json`. */
export type Facts = Readonly<Record<string, unknown>>;

/** Shows progress. */
export interface Screen {
  /** Runs one step and shows how it went and how long it took. The step answers with a line for people and the facts. */
  step<T>(name: string, run: () => Promise<{ line: string; facts?: Facts; value: T }>): Promise<T>;
  /** Text that belongs to the step before, indented. */
  text(text: string): void;
  diff(lines: readonly DiffLine[]): void;
  /** Something that happened by itself, such as a renewal. */
  event(name: string, line: string, facts: Facts): void;
}

type Write = (text: string) => void;

const INDENT = '              ';
const SIGN_COLOURS = { '+': 'green', '-': 'red', ' ': 'dim', '…': 'dim' } as const;

/** For people. */
export function terminalScreen(write: Write, colour: boolean, now: () => number = Date.now): Screen {
  const paint = (style: Parameters<typeof styleText>[0], text: string) =>
    colour ? styleText(style, text, { validateStream: false }) : text;
  const label = (name: string) => paint('bold', name.padEnd(11));
  return {
    async step(name, run) {
      const start = now();
      try {
        const { line, value } = await run();
        write(
          `${paint('green', '✔')} ${label(name)} ${line}  ${paint('dim', `${((now() - start) / 1000).toFixed(2)} s`)}\n`,
        );
        return value;
      } catch (error) {
        write(`${paint('red', '✘')} ${label(name)}\n`);
        throw error;
      }
    },
    text: (text) => write(`${text.trimEnd().replace(/^/gm, INDENT)}\n`),
    diff: (lines) => {
      for (const { sign, text } of lines) write(`${INDENT}${paint(SIGN_COLOURS[sign], `${sign} ${text}`.trimEnd())}\n`);
    },
    event: (name, line) => write(`${paint('cyan', '↻')} ${label(name)} ${line}\n`),
  };
}

/** For programs: one JSON object a line, `{"step": …, "seconds": …, …}`. */
export function jsonScreen(write: Write, now: () => number = Date.now): Screen {
  const emit = (value: Facts) => write(`${JSON.stringify(value)}\n`);
  return {
    async step(name, run) {
      const start = now();
      const { facts, value } = await run();
      emit({ step: name, seconds: (now() - start) / 1000, ...facts });
      return value;
    },
    text: () => {},
    diff: (lines) => emit({ diff: lines.map(({ sign, text }) => `${sign} ${text}`) }),
    event: (name, _line, facts) => emit({ event: name, ...facts }),
  };
}

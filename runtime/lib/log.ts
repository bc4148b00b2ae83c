/**
 * Structured logs: one JSON line an event, on standard output, in the shape that pino has. The agent uses this writer
 * (pino would cost it a tenth of its start-up); the webhook and the signer pass their pino logger instead. Whatever is logged is
 * bounded here, and nowhere else.
 * @module
 */
import type { Allowance } from './allowance.ts';
import { MAX_MESSAGE } from './errors.ts';

/** What every part of the runtime logs with; a pino logger is one. */
export interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Numbers of the levels, as pino has them. */
const LEVELS = { info: 30, warn: 40, error: 50 } as const;
/** Elements of a list, and fields of an object. A certificate's names are all there: an audit line may not hide any. */
const MAX_ELEMENTS = 128;
const MAX_DEPTH = 4;
/** All texts of a list together: the names of a certificate, each at its longest. */
const MAX_LIST = 32 * 2 ** 10;
/**
 * What JSON leaves as it is and a terminal, or whoever reads there, may take for something else: C1 controls, line and
 * paragraph separators, directions of writing.
 */
const MISLEADING = /[\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g;

/** A logger that writes JSON lines; `fields` go into each of them, and say who writes. */
export function jsonLog(
  fields: { readonly component: string },
  write: (line: string) => void = (line) => process.stdout.write(line),
): Log {
  const at = (level: keyof typeof LEVELS) => (event: object, message: string) =>
    write(`${JSON.stringify({ level: LEVELS[level], time: Date.now(), ...fields, ...event, msg: message })}\n`);
  return boundedLog({ info: at('info'), warn: at('warn'), error: at('error') });
}

/** `log` with every field and message bounded: a text has {@link MAX_MESSAGE} characters at most. */
export function boundedLog(log: Log): Log {
  const at = (level: keyof typeof LEVELS) => (fields: object, message: string) =>
    log[level](bounded(fields, 0) as object, printable(message));
  return { info: at('info'), warn: at('warn'), error: at('error') };
}

/** `log` that is spared what is more than `allowance` has; the next line tells how many were left out. */
export function sparingLog(log: Log, allowance: Allowance): Log {
  let leftOut = 0;
  const at = (level: keyof typeof LEVELS) => (fields: object, message: string) => {
    if (!allowance.take()) {
      leftOut += 1;
      return;
    }
    log[level](leftOut > 0 ? { ...fields, linesLeftOut: leftOut } : fields, message);
    leftOut = 0;
  };
  return { info: at('info'), warn: at('warn'), error: at('error') };
}

function printable(text: string): string {
  const cut = text.length > MAX_MESSAGE ? `${text.slice(0, MAX_MESSAGE - 1)}…` : text;
  return cut.replace(MISLEADING, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function bounded(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return printable(value);
  if (typeof value !== 'object' || value === null) return value;
  // A secret, a date: it says itself how it is written.
  if ('toJSON' in value) return value;
  if (value instanceof Error) return printable(value.message);
  if (depth >= MAX_DEPTH) return '…';
  if (Array.isArray(value)) return boundedList(value, depth);
  const entries = Object.entries(value).slice(0, MAX_ELEMENTS);
  return Object.fromEntries(entries.map(([key, field]) => [printable(key), bounded(field, depth + 1)]));
}

function boundedList(list: readonly unknown[], depth: number): readonly unknown[] {
  const kept: unknown[] = [];
  let size = 0;
  for (const element of list) {
    const next = bounded(element, depth + 1);
    size += typeof next === 'string' ? next.length : 1;
    if (kept.length >= MAX_ELEMENTS || size > MAX_LIST) return [...kept, `… and ${list.length - kept.length} more`];
    kept.push(next);
  }
  return kept;
}

/** For what says its own word of what goes wrong. */
export const SILENT: Log = { info() {}, warn() {}, error() {} };

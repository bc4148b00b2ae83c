/**
 * The file `..agent` in the certificate folder, by which a worker tells the shell how long to sleep, the hook what the
 * matter is, and the next worker where the one before was.
 * @module
 */
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { clamp } from '../lib/loops.ts';
import { formatFields, numberOf, readFields } from './fields.ts';
import type { Memory } from './next-step.ts';

/** What the file holds. */
export interface AgentState {
  readonly memory: Memory;
  /** Why there is no valid certificate; absent: there is one. */
  readonly problem?: string | undefined;
}

const FILE = '..agent';

/** All of the memory: whole numbers. */
const REMEMBERED: readonly (keyof Memory)[] = ['delayMs', 'retryAt', 'askFailures', 'failingSince', 'reportAt'];

/** The state that the worker before left; a new one where there is none, or none that makes sense. */
export function readState(dir: string): AgentState {
  try {
    const { problem, ...fields } = readFields(join(dir, FILE));
    return { memory: Object.fromEntries(REMEMBERED.map((name) => [name, numberOf(fields[name])])), problem };
  } catch {
    return { memory: {} };
  }
}

/**
 * Writes the state, in one step.
 * @param sleepMs until the next waking; in the file it is whole seconds, 1 to 600
 * @returns whether it could be written; if not, the file of before is gone where that was possible
 */
export function writeState(dir: string, sleepMs: number, { memory, problem }: AgentState): boolean {
  // Never sooner than the endpoint wants.
  const seconds = (memory.retryAt === undefined ? Math.round : Math.ceil)(sleepMs / 1000);
  const sleep = clamp(seconds, 1, 600);
  const whole = (value: number | undefined) => value && Math.ceil(value);
  const remembered = Object.fromEntries(REMEMBERED.map((name) => [name, whole(memory[name])]));
  const fields = { sleep, problem, ...remembered };
  const temporary = join(dir, `..new-${FILE}`);
  try {
    writeFileSync(temporary, formatFields(fields));
    renameSync(temporary, join(dir, FILE));
    return true;
  } catch {
    for (const file of [temporary, join(dir, FILE)]) removeIfPossible(file);
    return false;
  }
}

function removeIfPossible(file: string): void {
  try {
    rmSync(file, { force: true });
  } catch {
    // A folder that nobody can write to: the shell learns of it by the worker's exit code.
  }
}

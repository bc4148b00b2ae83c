/**
 * Examples below the help of a command.
 * @module
 */
import type { Command } from 'commander';

/** Adds them, a line each. */
export function withExamples(command: Command, ...lines: readonly string[]): Command {
  return command.addHelpText('after', `\nExamples:\n${lines.map((line) => `  ${line}\n`).join('')}`);
}

/**
 * What the reports of test runs have in common: tables, and the machine.
 * @module
 */
import { cpus, totalmem } from 'node:os';

/** A table in Markdown. */
export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** The machine that `nodes` are on, which also runs the control plane and what is measured by. */
export function machine(nodes: string, tests: string): string {
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${nodes} on one machine of ${cpus().length} CPUs and ${memory} GiB, which also runs the control plane and ${tests}.`;
}

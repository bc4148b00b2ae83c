/**
 * Memory of processes.
 * @module
 */
import { readFileSync } from 'node:fs';

/** Memory of a process as the kernel counts it: `Rss`, or `Pss`, where shared pages count in parts. Megabytes. */
export function megabytes(pid: number, what: 'Rss' | 'Pss'): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return Number(new RegExp(`^${what}: +(\\d+) kB`, 'm').exec(rollup)?.[1]) / 1000;
}

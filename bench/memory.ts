/**
 * Memory of processes.
 * @module
 */
import { readFileSync, writeFileSync } from 'node:fs';

/** Memory of a process as the kernel counts it: `Rss`, or `Pss`, where shared pages count in parts. Megabytes. */
export function megabytes(pid: number, what: 'Rss' | 'Pss'): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return Number(new RegExp(`^${what}: +(\\d+) kB`, 'm').exec(rollup)?.[1]) / 1000;
}

/** Remembers what a process takes now; the function that it gives says by how much it has grown at its peak since. Megabytes. */
export function peakMegabytes(pid: number): () => number {
  writeFileSync(`/proc/${pid}/clear_refs`, '5'); // the peak begins anew
  const before = megabytes(pid, 'Rss');
  return () => Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1000 - before;
}

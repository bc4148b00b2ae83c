/**
 * Identity of processes. A process id alone may have been given to another process since; together with the time of its
 * start (in ticks since boot) and the id of the boot it names one process for ever.
 * @module
 */
import { readdirSync, readFileSync } from 'node:fs';

/** One process, for ever. */
export interface ProcessId {
  readonly pid: number;
  readonly started: string;
  readonly boot: string;
}

/** The identity of a running process. */
export function identify(pid: number): ProcessId | undefined {
  const started = startOf(pid);
  return started === undefined ? undefined : { pid, started, boot: boot() };
}

/** Whether this very process still runs (one that is dead and not yet reaped does not). */
export function alive(id: ProcessId): boolean {
  return id.boot === boot() && startOf(id.pid) === id.started;
}

/** Kills this very process (or sends it another signal), never another one that got its id. */
export function kill(id: ProcessId, signal: NodeJS.Signals = 'SIGKILL'): void {
  if (!alive(id)) return;
  try {
    process.kill(id.pid, signal);
  } catch {
    // it ended in between
  }
}

/** Ids of the processes whose command line contains `text`. */
export function processesNaming(text: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((name) => read(`/proc/${name}/cmdline`)?.includes(text) === true)
    .map(Number);
}

/** The processes of a container, by the id that the runtime gave it: the oldest, which is its first, comes first. */
export function processesOfContainer(id: string): ProcessId[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && read(`/proc/${name}/cgroup`)?.includes(id) === true)
    .flatMap((name) => identify(Number(name)) ?? [])
    .sort((a, b) => Number(a.started) - Number(b.started) || a.pid - b.pid);
}

function startOf(pid: number): string | undefined {
  const fields = read(`/proc/${pid}/stat`)
    ?.replace(/^.*\) /s, '')
    .split(' '); // the name, in brackets, may hold spaces
  return fields === undefined || fields[0] === 'Z' ? undefined : fields[19];
}

function boot(): string {
  return read('/proc/sys/kernel/random/boot_id')?.trim() ?? '';
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

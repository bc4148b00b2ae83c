/**
 * The processes of a node: which there are, how much CPU and memory they have taken. Read from /proc; control groups of
 * both versions.
 * @module
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { megabytes } from './memory.ts';

/** One process. */
export interface NodeProcess {
  readonly pid: number;
  /** Words of the command line. */
  readonly command: readonly string[];
  /** Path of its control group below the hierarchy; for a container's processes it is the container's own. */
  readonly group: string;
  /** Seconds that it has used itself, and those of its children that have ended and been waited for. */
  readonly cpu: { readonly own: number; readonly reaped: number };
}

/** Unit of /proc/<pid>/stat on Linux: `USER_HZ`. */
const TICKS_A_SECOND = 100;
const CGROUPS = '/sys/fs/cgroup';

/** All processes below the node's control group; what ends meanwhile is left out. */
export function processesOf(cgroup: string): NodeProcess[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.flatMap((pid) => {
    try {
      const read = (file: string) => readFileSync(`/proc/${pid}/${file}`, 'utf8');
      const group = groupIn(read('cgroup'), cgroup);
      if (group === undefined) return [];
      return [{ pid: Number(pid), command: read('cmdline').split('\0'), group, cpu: cpuIn(read('stat')) }];
    } catch {
      return [];
    }
  });
}

/** The longest path below the node's group: version 1 has a line for each hierarchy, and not all have subgroups. */
export function groupIn(text: string, cgroup: string): string | undefined {
  const paths = text.split('\n').map((line) => line.split(':').slice(2).join(':'));
  const own = paths.filter((path) => `${path}/`.includes(`/${cgroup}/`));
  return own.sort((a, b) => b.length - a.length)[0];
}

/** `utime`, `stime`, `cutime` and `cstime` of proc(5); the name before them, in brackets, may hold anything. */
export function cpuIn(stat: string): NodeProcess['cpu'] {
  const fields = stat
    .replace(/^.*\) /s, '')
    .split(' ')
    .map(Number);
  const [user = 0, system = 0, reapedUser = 0, reapedSystem = 0] = fields.slice(11, 15);
  return { own: (user + system) / TICKS_A_SECOND, reaped: (reapedUser + reapedSystem) / TICKS_A_SECOND };
}

/** CPU seconds that a container's control group has used, also by processes of which nothing else is left. */
export function cpuOfGroup(group: string): number {
  const accounting = `${CGROUPS}/cpuacct${group}/cpuacct.usage`;
  if (existsSync(accounting)) return Number(readFileSync(accounting, 'utf8')) / 1e9;
  const unified = `${CGROUPS}${group}/cpu.stat`;
  return Number(/^usage_usec (\d+)$/m.exec(existsSync(unified) ? readFileSync(unified, 'utf8') : '')?.[1] ?? 0) / 1e6;
}

/** What runs in the agents' containers: their shells, and whatever shares a control group with one. */
export function agentProcesses(cgroup: string): NodeProcess[] {
  const all = processesOf(cgroup);
  const groups = new Set(all.filter(isAgent).map(({ group }) => group));
  return all.filter(({ group }) => groups.has(group));
}

/** The agent's shell, which stays. */
export function isAgent({ command }: NodeProcess): boolean {
  return command.some((word, index) => word.endsWith('/autocert-agent') && command[index + 1] === 'run');
}

/** Memory of all of them together, where pages that are shared count in parts. Megabytes. */
export function pssOf(processes: readonly NodeProcess[]): number {
  return processes.reduce((sum, { pid }) => sum + ifThere(() => megabytes(pid, 'Pss')), 0);
}

function ifThere(measure: () => number): number {
  try {
    return measure();
  } catch {
    return 0; // it has ended
  }
}

/**
 * Where the time goes when pods start together: CPU seconds of each part of a node from the creation of thirty pods until
 * all are Ready, uninjected ones beside those with a sidecar.
 *
 * Processes that end are seen in what their parents have waited for: so `runc` and `postStart` hooks appear as children of
 * the shims, in one number, for the shims wait for both. What the hooks take of it is told by the control groups of the
 * agents' containers, in which the kernel counts everything: less shell and Node, that is the hook, and `runc` once it is
 * inside. Not seen are the kernel's own threads, the program that creates the pods, and whatever else the machine runs:
 * the last row but one has what the processors did, and the last what of it is in no row above.
 * @module
 */
import { cpuByPart, PARTS, type Part } from './cpu-by-part.ts';
import { type Figure, median, range } from './figure.ts';
import { cpuTimes } from './idle.ts';
import { cpuOfGroup, isAgent, type NodeProcess, processesOf } from './node-processes.ts';
import { type Kind, startPods } from './start-pods.ts';
import type { MeasuredCluster } from './with-node.ts';

const PODS = 30;
const ROUNDS = 3;
const KINDS = ['uninjected', 'sidecar'] as const satisfies readonly Kind[];
/** Unit of /proc/stat. */
const TICKS_A_SECOND = 100;

/** Seconds by row of the table. */
type Times = ReadonlyMap<string, number>;

/** Rows that are not sums of processes. */
const ROW = {
  elapsed: 'create to Ready, elapsed',
  hooks: "hooks in agents' containers, and runc inside (part of a row above)",
  busy: 'all processors',
  unseen: 'of it in no row above',
} as const;

/** Runs it. */
export async function storm(on: MeasuredCluster): Promise<Figure[]> {
  const rounds: Record<(typeof KINDS)[number], Times[]> = { uninjected: [], sidecar: [] };
  for (let round = 0; round <= ROUNDS; round += 1) {
    for (const kind of KINDS) {
      const times = await oneStart(on, kind);
      if (round > 0) rounds[kind].push(times); // the first is not counted: programs are compiled
    }
    on.note(`${PODS} pods, round ${round} of ${ROUNDS}`);
  }
  const sample = (kind: (typeof KINDS)[number], row: string) => rounds[kind].map((times) => times.get(row) ?? 0);
  return [ROW.elapsed, ...Object.values(PARTS), ROW.hooks, ROW.busy, ROW.unseen].map((row): Figure => {
    const sidecar = sample('sidecar', row);
    const baseline = { name: 'uninjected', value: median(sample('uninjected', row)) };
    const name = `${PODS} pods with a sidecar: ${row}`;
    return { name, value: median(sidecar), unit: 's', range: range(sidecar), baseline };
  });
}

async function oneStart(on: MeasuredCluster, kind: Kind): Promise<Times> {
  const { cgroup } = on.node.node;
  const look = () => ({ busy: cpuTimes().busy / TICKS_A_SECOND, processes: processesOf(cgroup) });
  let [before, after] = [look(), look()];
  let inAgents = 0;
  const elapsed = await startPods(on, kind, PODS, {
    before: () => {
      before = look();
    },
    ready: () => {
      after = look();
      inAgents = cpuOfAgents(after.processes);
    },
  });
  const parts = cpuByPart(before.processes, after.processes);
  const of = (part: Part) => parts.get(part) ?? 0;
  const seen = [...parts.values()].reduce((sum, seconds) => sum + seconds, 0);
  const busy = after.busy - before.busy;
  return new Map<string, number>([
    [ROW.elapsed, elapsed],
    ...(Object.keys(PARTS) as Part[]).map((part) => [PARTS[part], of(part)] as const),
    [ROW.hooks, inAgents - of('agentShells') - of('agentWork')],
    [ROW.busy, busy],
    [ROW.unseen, busy - seen],
  ]);
}

/** CPU seconds that the control groups of the agents' containers have used since these began. */
function cpuOfAgents(processes: readonly NodeProcess[]): number {
  const groups = new Set(processes.filter(isAgent).map(({ group }) => group));
  return [...groups].reduce((sum, group) => sum + cpuOfGroup(group), 0);
}

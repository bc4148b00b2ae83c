/**
 * Waits until nothing of the round before is left on a node: else a round begins while containers are torn down.
 * @module
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RunningNode } from '../scripts/cluster/bring-up.ts';
import { CONTAINERD_SOCKET } from '../scripts/cluster/components.ts';
import { BIN } from '../scripts/cluster/settings.ts';
import { run, waitFor } from '../scripts/cluster/shell.ts';

/** Idle share of the CPU at which a node counts as idle: its control plane alone takes some percent. */
const IDLE_SHARE = 0.85;
const SAMPLE_MS = 500;
/** How long to wait for an idle CPU before it is measured all the same; other programs may keep the machine busy. */
const PATIENCE_MS = 60_000;
/** Kubelet removes the sandboxes of dead pods once a minute, which takes it time. For so few it is not worth waiting. */
const FEW = 15;
/** That minute, and the time it takes for a hundred. */
const REMOVAL_MS = 180_000;

/** Ticks of all processors since boot. */
export interface CpuTimes {
  readonly busy: number;
  readonly idle: number;
}

/** Waits for containers and sandboxes of pods named `bench-…` to be gone, then for an idle CPU. */
export async function untilIdle(node: RunningNode, note: (text: string) => void): Promise<void> {
  await waitFor(
    'containers and sandboxes of the round before to be gone',
    async () => {
      const [containers, tasks] = [await containersOf(node), await tasksOf(node)];
      return containers.length <= FEW && !containers.some((id) => tasks.includes(id));
    },
    { timeoutMs: REMOVAL_MS, everyMs: 500 },
  );
  let share = 0;
  const isIdle = async () => {
    const before = cpuTimes();
    await sleep(SAMPLE_MS);
    share = idleShare(before, cpuTimes());
    return share > IDLE_SHARE;
  };
  await waitFor('an idle CPU', isIdle, { timeoutMs: PATIENCE_MS, everyMs: 0 }).catch(() =>
    note(`the CPU is ${Math.round((1 - share) * 100)} % busy after ${PATIENCE_MS / 1000} s; measuring all the same`),
  );
}

/** Share of the time between two looks in which processors had nothing to do, 0 to 1. */
export function idleShare(before: CpuTimes, after: CpuTimes): number {
  const idle = after.idle - before.idle;
  const total = idle + after.busy - before.busy;
  return total > 0 ? idle / total : 1;
}

/** Parses the first line of /proc/stat (proc(5)); waiting for a disk is idle, guests are part of user time. */
export function parseCpuTimes(stat: string): CpuTimes {
  const [user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0] =
    /^cpu +(.*)$/m.exec(stat)?.[1]?.split(' ').map(Number) ?? [];
  return { busy: user + nice + system + irq + softirq + steal, idle: idle + iowait };
}

/** As they are now. */
export function cpuTimes(): CpuTimes {
  return parseCpuTimes(readFileSync('/proc/stat', 'utf8'));
}

function containersOf(node: RunningNode): Promise<string[]> {
  return ctr(node, 'containers', 'ls', '-q', 'labels."io.kubernetes.pod.name"~="^bench-"');
}

function tasksOf(node: RunningNode): Promise<string[]> {
  return ctr(node, 'tasks', 'ls', '-q');
}

async function ctr({ node }: RunningNode, ...args: readonly string[]): Promise<string[]> {
  const program = [join(BIN, 'ctr'), `--address=${CONTAINERD_SOCKET}`, '--namespace=k8s.io'];
  return (await run(node.inside([...program, ...args]))).split('\n').filter((line) => line !== '');
}

/**
 * The control group of a node: the one thing of it, besides files, that outlives its processes. Pods are below it, where
 * kubelet puts them, and what the node itself runs is in groups with the shares of the CPU that systemd and kubeadm give
 * them: else each thread of kubelet and of the container runtime counts as much as all pods together. Knows both
 * versions of the hierarchy.
 * @module
 */
import { existsSync, mkdirSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { waitFor } from './shell.ts';

const ROOT = '/sys/fs/cgroup';
const CONTROLLERS = ['cpu', 'cpuset', 'memory', 'pids'];

/** `cpu.shares` of the node among all that runs on the machine. Its pods get 1024 a core of what the node has. */
const NODE_SHARES = 16_384;
/**
 * Groups of what the node itself runs: as much as systemd's `system.slice` has, and among the pods, where kubeadm has the
 * control plane, the sum of what that requests (650 milli-CPU).
 */
const GROUPS = {
  system: { path: 'system', shares: 1024 },
  'control-plane': { path: 'kubepods/control-plane', shares: 665 },
} as const;

/** What the node itself runs, by who would start it elsewhere. */
export type NodeGroup = keyof typeof GROUPS;

/** Makes the group of the node called `name` in every hierarchy. */
export function makeControlGroup(name: string): void {
  for (const hierarchy of hierarchies()) {
    for (const controller of CONTROLLERS) enable(hierarchy, controller);
    mkdirSync(join(hierarchy, name), { recursive: true });
  }
  const node = join(cpuHierarchy(), name);
  share(node, NODE_SHARES);
  for (const controller of CONTROLLERS) enable(node, controller);
  for (const { path, shares } of Object.values(GROUPS)) {
    mkdirSync(join(node, path), { recursive: true });
    enable(join(node, dirname(path)), 'cpu');
    share(join(node, path), shares);
  }
}

/** The command, run in a group of the node. */
export function inControlGroup(name: string, group: NodeGroup, argv: readonly string[]): string[] {
  const members = join(cpuHierarchy(), name, GROUPS[group].path, 'cgroup.procs');
  return ['sh', '-c', 'echo $$ > "$0" && exec "$@"', members, ...argv];
}

/** Removes the group with all below it; waits for processes that are just being killed. */
export async function removeControlGroup(name: string): Promise<void> {
  for (const hierarchy of hierarchies()) {
    const top = join(hierarchy, name);
    await waitFor(`the control group ${top} to be empty`, async () => remove(top), { timeoutMs: 20_000, everyMs: 100 });
  }
}

/** The groups that exist under this name. */
export function controlGroups(name: string): string[] {
  return hierarchies()
    .map((hierarchy) => join(hierarchy, name))
    .filter((path) => existsSync(path));
}

function hierarchies(): string[] {
  if (existsSync(join(ROOT, 'cgroup.controllers'))) return [ROOT];
  return readdirSync(ROOT, { withFileTypes: true })
    .filter((entry) => entry.isDirectory()) // links such as cpu → cpu,cpuacct are not
    .map(({ name }) => join(ROOT, name));
}

/** The one that divides the CPU. */
function cpuHierarchy(): string {
  return hierarchies().length === 1 ? ROOT : join(ROOT, 'cpu');
}

/** Version 2 has weights from 1 to 10,000, of which 100 is as usual as 1024 shares are. */
function share(group: string, shares: number): void {
  if (existsSync(join(group, 'cpu.shares'))) writeFileSync(join(group, 'cpu.shares'), String(shares));
  else if (existsSync(join(group, 'cpu.weight')))
    writeFileSync(join(group, 'cpu.weight'), String(Math.round(shares / 10.24)));
}

function remove(path: string): boolean {
  if (!existsSync(path)) return true;
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory()) remove(join(path, entry.name));
  }
  rmdirSync(path);
  return true;
}

function enable(group: string, controller: string): void {
  if (!existsSync(join(group, 'cgroup.subtree_control'))) return;
  try {
    writeFileSync(join(group, 'cgroup.subtree_control'), `+${controller}`);
  } catch {
    // not there, or forbidden: kubelet says so if it needs it
  }
}

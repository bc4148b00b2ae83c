/**
 * The control group that the pods of a node are below: the one thing of a node, besides files, that outlives its
 * processes. Knows both versions of the hierarchy.
 * @module
 */
import { existsSync, mkdirSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { waitFor } from '../shell.ts';

const ROOT = '/sys/fs/cgroup';
const CONTROLLERS = ['cpu', 'cpuset', 'memory', 'pids'];

/** Makes the group in every hierarchy. */
export function makeControlGroup(name: string): void {
  for (const hierarchy of hierarchies()) {
    if (existsSync(join(hierarchy, 'cgroup.subtree_control'))) {
      for (const controller of CONTROLLERS) enable(hierarchy, controller);
    }
    mkdirSync(join(hierarchy, name), { recursive: true });
  }
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

function remove(path: string): boolean {
  if (!existsSync(path)) return true;
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory()) remove(join(path, entry.name));
  }
  rmdirSync(path);
  return true;
}

function enable(hierarchy: string, controller: string): void {
  try {
    writeFileSync(join(hierarchy, 'cgroup.subtree_control'), `+${controller}`);
  } catch {
    // not there, or forbidden: kubelet says so if it needs it
  }
}

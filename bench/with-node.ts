/**
 * A Kubernetes node on this machine (Linux, root) with Autocert installed, for the time of a measurement.
 * @module
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bringUp, type RunningNode } from '../scripts/cluster/bring-up.ts';
import { install, synthesize } from '../scripts/cluster/installation.ts';
import { Kubectl } from '../scripts/cluster/kubectl.ts';
import { removeOldNodes, removeOwnNode } from '../scripts/cluster/node.ts';
import { ensurePackages } from '../scripts/cluster/packages.ts';
import { ensureKubernetes, ensurePrograms } from '../scripts/cluster/programs.ts';

/** What is measured on a node. */
export interface MeasuredCluster {
  readonly node: RunningNode;
  readonly kubectl: Kubectl;
  /** Tells people how far it is. */
  readonly note: (text: string) => void;
}

/** Brings the node up, with the namespace `default` enabled, and takes it down again whatever happens. */
export async function withNode<T>(
  note: MeasuredCluster['note'],
  measure: (cluster: MeasuredCluster) => Promise<T>,
): Promise<T> {
  await ensurePackages(note);
  await ensurePrograms(note);
  await ensureKubernetes(note);
  await removeOldNodes(false);
  const scratch = mkdtempSync(join(tmpdir(), 'autocert-bench-'));
  const end = async () => {
    await removeOwnNode();
    rmSync(scratch, { recursive: true, force: true });
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => void end().finally(() => process.exit(1)));
  }
  try {
    const node = await bringUp(false, note);
    const kubectl = new Kubectl(node.kubectl);
    const manifests = join(scratch, 'dist');
    await synthesize(manifests);
    await install(kubectl, manifests);
    await kubectl.run(['label', 'namespace', 'default', 'autocert.step.sm=enabled']);
    note('installed');
    return await measure({ node, kubectl, note });
  } finally {
    await end();
  }
}

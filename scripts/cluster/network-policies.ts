/**
 * The engine that enforces NetworkPolicies on a node, which Kubernetes leaves to whoever brings the network: kube-router,
 * a process in the node's network, with iptables and ipset. All its rules end with that network.
 * @module
 */
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { legacyTools } from './components.ts';
import type { ClusterNode } from './node.ts';
import { LEGACY_IPTABLES } from './packages.ts';
import { run, waitFor } from './shell.ts';

/** Starts it on a node that is ready, and waits until packets pass its rules. */
export async function enforceNetworkPolicies(node: ClusterNode): Promise<void> {
  const tools = legacyTools(node.folder);
  mkdirSync(tools, { recursive: true });
  for (const name of ['iptables', 'iptables-save', 'iptables-restore']) symlinkSync(LEGACY_IPTABLES, join(tools, name));
  node.launch('kube-router');
  const rules = node.inside([join(tools, 'iptables'), '-w', '5', '-S', 'FORWARD']);
  await waitFor('kube-router to enforce NetworkPolicies', async () =>
    (await run(rules)).includes('KUBE-ROUTER-FORWARD'),
  );
}

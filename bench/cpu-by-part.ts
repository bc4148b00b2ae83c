/**
 * Whose CPU time it was: processes of a node, looked at twice, summed up by the part of the system that they belong to. Pure.
 * @module
 */
import { isAgent, type NodeProcess } from './node-processes.ts';

/** The parts, in the order of the table. */
export const PARTS = {
  kubelet: 'kubelet',
  containerd: 'containerd',
  containerdChildren: 'CNI plugins, starts of shims (children of containerd)',
  shims: 'shims',
  runc: 'runc and hooks (children of the shims)',
  apiServer: 'kube-apiserver',
  etcd: 'etcd',
  controllers: 'controller manager and scheduler',
  proxy: 'kube-proxy, with iptables',
  policies: 'kube-router, with iptables and ipset',
  webhook: 'webhook',
  signer: 'signer',
  ca: 'step-ca',
  sandboxes: 'sandboxes (pause)',
  apps: 'app containers',
  agentShells: "agents' shells",
  agentWork: "Node and sleep (children of agents' shells)",
  other: 'other processes of the node',
} as const;
/** One of {@link PARTS}. */
export type Part = keyof typeof PARTS;

/** Parts of a process's own time, and of that of its children, by the name of its program. */
const BY_PROGRAM: Readonly<Record<string, readonly [own: Part, children: Part]>> = {
  kubelet: ['kubelet', 'kubelet'],
  containerd: ['containerd', 'containerdChildren'],
  'containerd-shim-runc-v2': ['shims', 'runc'],
  'kube-apiserver': ['apiServer', 'apiServer'],
  etcd: ['etcd', 'etcd'],
  'kube-controller-manager': ['controllers', 'controllers'],
  'kube-scheduler': ['controllers', 'controllers'],
  'kube-proxy': ['proxy', 'proxy'],
  'kube-router': ['policies', 'policies'],
  'step-ca': ['ca', 'ca'],
};

/** Seconds by part between two looks. What has ended in between counts by what it left to its parent. */
export function cpuByPart(before: readonly NodeProcess[], after: readonly NodeProcess[]): Map<Part, number> {
  const earlier = new Map(before.map((process) => [process.pid, process]));
  const agents = new Set(after.filter(isAgent).map(({ group }) => group));
  const seconds = new Map<Part, number>();
  const add = (part: Part, time: number) => seconds.set(part, (seconds.get(part) ?? 0) + time);
  for (const process of after) {
    const [own, children] = partsOf(process, agents);
    const then = earlier.get(process.pid)?.cpu ?? { own: 0, reaped: 0 };
    // A smaller number than before: another process has got the id.
    const { own: ownThen, reaped: reapedThen } = then.own <= process.cpu.own ? then : { own: 0, reaped: 0 };
    add(own, process.cpu.own - ownThen);
    add(children, process.cpu.reaped - reapedThen);
  }
  return seconds;
}

function partsOf(process: NodeProcess, agents: ReadonlySet<string>): readonly [own: Part, children: Part] {
  const { command, group } = process;
  const program = command[0]?.split('/').at(-1) ?? '';
  const known = BY_PROGRAM[program];
  if (known) return known;
  if (isAgent(process)) return ['agentShells', 'agentWork'];
  if (agents.has(group)) return ['agentWork', 'agentWork'];
  if (program === 'busybox' && command[1] === 'sleep') return ['sandboxes', 'sandboxes'];
  if (program === 'node' && command.includes('webhook')) return ['webhook', 'webhook'];
  if (program === 'node' && command.includes('signer')) return ['signer', 'signer'];
  if (program === 'sh' || program === 'sleep') return ['apps', 'apps'];
  return ['other', 'other'];
}

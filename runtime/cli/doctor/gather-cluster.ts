/**
 * What belongs to the cluster: APIs, namespaces, DNS, nodes.
 * @module
 */
import type { V1Lease, V1Namespace, V1Node } from '@kubernetes/client-node';
import { hasPodCertificates, servedBy } from '../../kubernetes/cluster-state.ts';
import type { Apis, Facts, NodeClock } from './facts.ts';
import { serviceState } from './gather-webhooks.ts';
import type { Look } from './look.ts';
import type { ServerClock } from './server-clock.ts';

/** Most of each kind that are looked at. */
const MAX = { nodes: 5_000, namespaces: 5_000 } as const;
const NODE_LEASES = '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases';
/** Where clusters have their DNS. */
const DNS = [
  ['kube-system', 'kube-dns'],
  ['openshift-dns', 'dns-default'],
  ['kube-system', 'rke2-coredns-rke2-coredns'],
] as const;

/** What the API server has, by its discovery documents. */
export async function readApis(look: Look, version: string | undefined): Promise<Apis> {
  const read = async <T>(group: string, ask: () => Promise<T>) =>
    (await look.try(`APIs of ${group}, for lack of the verb get`, `APIs of ${group}`, ask)) ?? undefined;
  const [podCertificates, admission] = await Promise.all([
    read('certificates.k8s.io', () => hasPodCertificates(look.api)),
    read('admissionregistration.k8s.io', () => servedBy(look.api, 'admissionregistration.k8s.io/v1')),
  ]);
  return {
    ...(version !== undefined && { version }),
    podCertificates,
    validatingPolicies: admission?.has('validatingadmissionpolicies'),
    mutatingPolicies: admission?.has('mutatingadmissionpolicies'),
  };
}

/** Their labels. */
export function readNamespaces(look: Look) {
  return look.list('/api/v1/namespaces', 'namespaces', MAX.namespaces, ({ metadata }: V1Namespace) => {
    return [metadata?.name ?? '', metadata?.labels ?? {}] as const;
  });
}

/** The cluster's DNS. */
export async function readDns(look: Look): Promise<Facts['dns']> {
  for (const [namespace, name] of DNS) {
    const found = await serviceState(look, namespace, name);
    if (found !== null) return found;
  }
  return null;
}

/** The signs of life of nodes. */
export async function readNodes(look: Look, clock: ServerClock): Promise<readonly NodeClock[] | undefined> {
  const server = clock.nowOfServer;
  if (!server) return undefined;
  const leases = await look.list(
    NODE_LEASES,
    'leases in namespace kube-node-lease',
    MAX.nodes,
    ({ metadata, spec }: V1Lease) => ({
      name: metadata?.name ?? '',
      renewTime: String(spec?.renewTime ?? ''),
      aheadMs: Date.parse(String(spec?.renewTime ?? '')) - server().getTime(),
    }),
  );
  if (!leases) return undefined;
  const nodes = await look.list('/api/v1/nodes', 'nodes', MAX.nodes, ({ metadata, status }: V1Node) => {
    const ready = status?.conditions?.find(({ type }) => type === 'Ready')?.status === 'True';
    return [metadata?.name ?? '', ready] as const;
  });
  const ready = new Map(nodes);
  return leases.map((one) => ({ ...one, ready: ready.get(one.name) }));
}

/**
 * What belongs to the cluster: APIs, Services, DNS, nodes.
 * @module
 */
import type { V1EndpointSlice, V1Lease, V1Node, V1Service } from '@kubernetes/client-node';
import { hasPodCertificates, servedBy } from '../../kubernetes/cluster-state.ts';
import type { Known, Look } from '../observed/look.ts';
import type { RegisteredWebhook } from '../observed/webhooks.ts';
import type { Apis, Facts, NodeClock, ServiceState } from './facts.ts';
import type { ServerClock } from './server-clock.ts';

/** Nodes, Services behind webhooks, and slices of a Service that are looked at. */
const MAX = { nodes: 5_000, services: 30, slices: 200 } as const;
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

/** The Services behind webhooks that are asked about pods. */
export async function readServices(look: Look, webhooks: readonly RegisteredWebhook[]): Promise<Facts['services']> {
  const asked = webhooks.filter(({ asksForPods }) => asksForPods);
  // Autocert's own goes first: of the others there may be many.
  const ours = (name: string) => Number(name === 'autocert');
  const services = asked.flatMap(({ service }) => service ?? []).sort((a, b) => ours(b.name) - ours(a.name));
  const names = new Map(services.map((service) => [`${service.namespace}/${service.name}`, service]));
  const some = [...names].slice(0, MAX.services);
  if (names.size > some.length) look.missed(`services of webhooks beyond the first ${MAX.services}`);
  const states = some.map(
    async ([key, { namespace, name }]) => [key, await serviceState(look, namespace, name)] as const,
  );
  return new Map(await Promise.all(states));
}

/** A Service and how many of its endpoints are ready. */
export async function serviceState(look: Look, namespace: string, name: string): Promise<Known<ServiceState>> {
  const service = await look.get<V1Service>(
    `/api/v1/namespaces/${encodeURIComponent(namespace)}/services/${encodeURIComponent(name)}`,
    `services in namespace ${namespace}`,
  );
  if (!service) return service;
  const slices = await look.list(
    `/apis/discovery.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}/endpointslices`,
    `endpointslices in namespace ${namespace}`,
    MAX.slices,
    ({ endpoints }: V1EndpointSlice) =>
      (endpoints ?? []).filter(({ conditions }) => conditions?.ready !== false).length,
    { labelSelector: `kubernetes.io/service-name=${name}` },
  );
  return {
    name: `${namespace}/${name}`,
    ports: service.spec?.ports?.map(({ port }) => port) ?? [],
    ready: slices?.reduce((sum, count) => sum + count, 0),
  };
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

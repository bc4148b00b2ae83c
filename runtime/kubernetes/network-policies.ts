/**
 * What NetworkPolicies let through. They add up: a way is open if one of those about the pod opens it, or if none is about
 * the pod in that direction. Pure.
 * @module
 */
import type { V1NetworkPolicy, V1NetworkPolicyPeer, V1NetworkPolicyPort } from '@kubernetes/client-node';
import { selects } from './selectors.ts';

type Labels = Readonly<Record<string, string>>;

/** A pod, as policies see it. */
export interface PolicyPod {
  readonly namespace: string;
  readonly labels: Labels;
  /** Labels of its namespace. */
  readonly namespaceLabels: Labels;
}

/** A way for packets from or to a pod. */
export interface Way {
  readonly direction: 'Ingress' | 'Egress';
  readonly protocol: 'TCP' | 'UDP';
  /** One of them is enough; absent: one that is not DNS's is. */
  readonly ports?: readonly number[];
  /** At the other end; absent: somebody who may be outside of the cluster. */
  readonly peer?: PolicyPod;
}

const DNS_PORTS: readonly number[] = [53, 5353];

/** The policies that close a way together; none: it is open. A port by name is taken for the right one. */
export function closedBy(policies: readonly V1NetworkPolicy[], pod: PolicyPod, way: Way): readonly V1NetworkPolicy[] {
  const about = policies.filter((policy) => isAbout(policy, pod, way.direction));
  return about.some((policy) => opens(policy, way)) ? [] : about;
}

function isAbout({ metadata, spec }: V1NetworkPolicy, pod: PolicyPod, direction: Way['direction']): boolean {
  // As the API server fills it in.
  const types = spec?.policyTypes ?? ['Ingress', ...(spec?.egress ? ['Egress'] : [])];
  return metadata?.namespace === pod.namespace && types.includes(direction) && selects(spec?.podSelector, pod.labels);
}

function opens({ metadata, spec }: V1NetworkPolicy, way: Way): boolean {
  const rules =
    way.direction === 'Ingress'
      ? spec?.ingress?.map(({ ports, ...rule }) => ({ ports, peers: (rule as { from?: V1NetworkPolicyPeer[] }).from }))
      : spec?.egress?.map(({ ports, to }) => ({ ports, peers: to }));
  return (rules ?? []).some(
    ({ ports, peers }) =>
      (!ports?.length || ports.some((one) => covers(one, way))) &&
      (!peers?.length || peers.some((one) => admits(one, way.peer, metadata?.namespace ?? ''))),
  );
}

function covers({ port, endPort, protocol = 'TCP' }: V1NetworkPolicyPort, way: Way): boolean {
  if (protocol !== way.protocol) return false;
  if (port === undefined || typeof port === 'string') return true;
  const first = Number(port);
  if (!way.ports) return !DNS_PORTS.includes(first);
  return way.ports.some((wanted) => first <= wanted && wanted <= (endPort ?? first));
}

/** Addresses may be anybody's, and who is outside of the cluster may come by way of another namespace. */
function admits(
  { ipBlock, podSelector, namespaceSelector }: V1NetworkPolicyPeer,
  peer: PolicyPod | undefined,
  own: string,
): boolean {
  if (ipBlock) return true;
  if (!peer) return namespaceSelector !== undefined;
  const isNamespace = namespaceSelector ? selects(namespaceSelector, peer.namespaceLabels) : peer.namespace === own;
  return isNamespace && selects(podSelector, peer.labels);
}

/**
 * What a network lets through that enforces NetworkPolicies, as the Kubernetes API describes them.
 * @module
 */
import { BlockList } from 'node:net';
import type { Manifest } from './manifests.ts';

/** A pod, or (without a namespace) an address that is nobody's pod. */
export interface Party {
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly address?: string;
}

interface Selector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly { key: string; operator: string; values: readonly string[] }[];
}

interface Peer {
  readonly podSelector?: Selector;
  readonly namespaceSelector?: Selector;
  readonly ipBlock?: { readonly cidr: string };
}

interface Rule {
  readonly ports?: readonly { readonly port: number; readonly protocol: string }[];
  readonly from?: readonly Peer[];
  readonly to?: readonly Peer[];
}

/** Whether a connection comes about, as far as these manifests have a say. */
export function reaches(
  manifests: readonly Manifest[],
  from: Party,
  to: Party,
  port: number,
  protocol = 'TCP',
): boolean {
  const policies = manifests.filter(({ kind }) => kind === 'NetworkPolicy');
  const allows = (direction: 'Ingress' | 'Egress', subject: Party, other: Party) => {
    const own = policies.filter(
      ({ metadata, spec }) =>
        subject.namespace === metadata.namespace &&
        spec.policyTypes.includes(direction) &&
        selects(spec.podSelector, subject.labels),
    );
    const holds = ({ metadata, spec }: Manifest) =>
      ((direction === 'Ingress' ? spec.ingress : spec.egress) ?? []).some(
        (rule: Rule) =>
          (rule.ports?.some((each) => each.port === port && each.protocol === protocol) ?? true) &&
          isPeer(rule.from ?? rule.to, other, metadata.namespace),
      );
    return own.length === 0 || own.some(holds);
  };
  return allows('Egress', from, to) && allows('Ingress', to, from);
}

/** No peers, or an empty list of them, is everybody. */
function isPeer(peers: readonly Peer[] | undefined, party: Party, own: string | undefined): boolean {
  if (peers === undefined || peers.length === 0) return true;
  return peers.some(({ ipBlock, podSelector = {}, namespaceSelector }) => {
    if (ipBlock !== undefined) return party.address !== undefined && contains(ipBlock.cidr, party.address);
    if (party.namespace === undefined) return false;
    const isNamespace =
      namespaceSelector === undefined
        ? party.namespace === own
        : selects(namespaceSelector, { 'kubernetes.io/metadata.name': party.namespace });
    return isNamespace && selects(podSelector, party.labels);
  });
}

function selects({ matchLabels = {}, matchExpressions = [] }: Selector, labels: Party['labels'] = {}): boolean {
  return (
    Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
    matchExpressions.every(({ key, operator, values }) => {
      if (operator !== 'In') throw new Error(`operator ${operator} is not known here`);
      return values.includes(labels[key] ?? '');
    })
  );
}

function contains(cidr: string, address: string): boolean {
  const [start = '', bits] = cidr.split('/');
  const blocks = new BlockList();
  blocks.addSubnet(start, Number(bits), 'ipv4');
  return blocks.check(address, 'ipv4');
}

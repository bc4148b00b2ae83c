/**
 * Checks of the network: the doors that Autocert needs through NetworkPolicies of its namespace, and those that agents need
 * through the ones of theirs.
 * @module
 */
import { CERTIFICATE_PORT, CONTAINER_PORT } from '../../contract.ts';
import { closedBy, type PolicyPod, type Way } from '../../kubernetes/network-policies.ts';
import type { AskingPod, Facts } from './facts.ts';
import type { Check, Found } from './finding.ts';
import { hasCa, hasSigner, hasWebhook, named } from './ours.ts';

/** One of {@link Way}s, and what for. */
interface Door extends Way {
  /** After "cannot". */
  readonly purpose: string;
}

/** Clusters answer DNS at either. */
const DNS: Door = { direction: 'Egress', protocol: 'UDP', ports: [53, 5353], purpose: 'ask the cluster’s DNS' };
const API: Door = { direction: 'Egress', protocol: 'TCP', purpose: 'reach the API server' };

/** The checks. */
export const networkChecks: readonly Check[] = [
  { id: 'network-policy', looksAt: 'NetworkPolicies of Autocert’s namespace', find: ofAutocert },
  { id: 'network-policy', looksAt: 'NetworkPolicies about pods with an agent', find: ofAgents },
];

/** A pod of Autocert by its label `app`. */
function ours({ systemPods = [], namespace, namespaces }: Facts, app: string): PolicyPod {
  const labels = systemPods.find((pod) => pod.app === app)?.labels ?? { app };
  return { namespace, labels, namespaceLabels: labelsOf(namespaces, namespace) };
}

/** The API server gives each namespace its name as a label. */
function labelsOf(namespaces: Facts['namespaces'], name: string): Readonly<Record<string, string>> {
  return { 'kubernetes.io/metadata.name': name, ...namespaces?.get(name) };
}

function doors(facts: Facts): readonly (readonly [app: string, door: Door])[] {
  const inwards = { direction: 'Ingress', protocol: 'TCP' } as const;
  const users = [...(hasWebhook(facts) ? ['autocert'] : []), ...(hasSigner(facts) ? ['autocert-signer'] : [])];
  const toCa = (app: string) => {
    const [ports, peer] = [[CONTAINER_PORT], ours(facts, app)];
    const there: Door = { ...API, ports, peer: ours(facts, 'ca'), purpose: 'reach the CA' };
    return [[app, there] as const, ['ca', { ...inwards, ports, peer, purpose: `be reached by ${app}` }] as const];
  };
  const webhook: readonly Door[] = [
    { ...inwards, ports: [CONTAINER_PORT], purpose: 'be reached by the API server' },
    { ...inwards, ports: [CERTIFICATE_PORT], purpose: 'be reached by agents' },
  ];
  return [
    ...(hasWebhook(facts) ? webhook.map((door) => ['autocert', door] as const) : []),
    ...users.flatMap((app) => [[app, DNS] as const, [app, API] as const, ...(hasCa(facts) ? toCa(app) : [])]),
  ];
}

function ofAutocert(facts: Facts): Found[] {
  const { policies, namespace } = facts;
  return doors(facts).flatMap(([app, door]): Found[] => {
    const [first, ...more] = closedBy(policies ?? [], ours(facts, app), door).map(({ metadata }) => metadata?.name);
    if (first === undefined) return [];
    return [
      {
        object: `networkpolicy/${first}`,
        message: `pods app=${app} cannot ${wordsOf(door)}: ${[first, ...more].join(', ')} closed it`,
        remedy: `apply the manifests again (kubectl apply -f dist/) if a policy of Autocert is missing or was changed; else kubectl -n ${namespace} edit networkpolicy ${first}`,
      },
    ];
  });
}

function ofAgents(facts: Facts): Found[] {
  const { policies = [], pods = [], namespace: system } = facts;
  const open: Door = { ...API, ports: [CERTIFICATE_PORT], peer: ours(facts, 'autocert'), purpose: 'reach Autocert' };
  const groups = new Map<string, { readonly door: Door; readonly shut: AskingPod[] }>();
  const byNamespace = Object.groupBy(policies, ({ metadata }) => metadata?.namespace ?? '');
  for (const pod of pods.filter(({ agentImage }) => agentImage !== undefined)) {
    const { namespace, labels } = pod;
    const seen = { namespace, labels, namespaceLabels: labelsOf(facts.namespaces, namespace) };
    for (const door of [open, DNS]) {
      const names = closedBy(byNamespace[namespace] ?? [], seen, door).map(({ metadata }) => metadata?.name);
      if (names.length === 0) continue;
      const key = `${namespace}/networkpolicy/${names[0]} ${door.purpose}`;
      const group = groups.get(key) ?? { door, shut: [] };
      group.shut.push(pod);
      groups.set(key, group);
    }
  }
  return [...groups].map(([key, { door, shut }]) => {
    const [object = ''] = key.split(' ');
    const [namespace, , name] = object.split('/');
    const to =
      door === DNS
        ? 'UDP 53 to the cluster’s DNS'
        : `TCP ${CERTIFICATE_PORT} to pods app=autocert of namespace ${system}`;
    return {
      object,
      message: `${named(shut, 'pod')} with an agent cannot ${wordsOf(door)}: nothing is renewed`,
      remedy: `allow egress ${to}: kubectl -n ${namespace} edit networkpolicy ${name}`,
    };
  });
}

function wordsOf({ purpose, direction, protocol, ports }: Door): string {
  return `${purpose} (${direction.toLowerCase()} ${protocol}${ports ? ` ${ports.join('/')}` : ''})`;
}

import type { V1NetworkPolicy } from '@kubernetes/client-node';
import { closedBy, type PolicyPod, type Way } from '../../../runtime/kubernetes/network-policies.ts';

const pod: PolicyPod = { namespace: 'shop', labels: { app: 'web' }, namespaceLabels: { name: 'shop' } };
const autocert: PolicyPod = { namespace: 'step', labels: { app: 'autocert' }, namespaceLabels: { name: 'step' } };
const way: Way = { direction: 'Egress', protocol: 'TCP', ports: [4444], peer: autocert };
const policy = (spec: object, namespace = 'shop') => ({ metadata: { name: 'p', namespace }, spec }) as V1NetworkPolicy;
const egress = (rule: object) => policy({ podSelector: {}, policyTypes: ['Egress'], egress: [rule] });
const isOpen = (policies: readonly V1NetworkPolicy[], which: Way = way) => closedBy(policies, pod, which).length === 0;

test.each([
  ['there is no policy', [], true],
  ['it is of another namespace', [policy({ podSelector: {}, policyTypes: ['Egress'] }, 'other')], true],
  ['it is about other pods', [policy({ podSelector: { matchLabels: { app: 'x' } }, policyTypes: ['Egress'] })], true],
  ['it is about the other direction', [policy({ podSelector: {}, policyTypes: ['Ingress'] })], true],
  ['it has no types and no egress', [policy({ podSelector: {} })], true],
  ['it has no types and some egress', [policy({ podSelector: {}, egress: [] })], false],
  ['it allows nothing', [policy({ podSelector: {}, policyTypes: ['Egress'] })], false],
  ['it allows everything', [egress({})], true],
  ['it allows the port', [egress({ ports: [{ port: 4444 }] })], true],
  ['it allows a range with the port', [egress({ ports: [{ port: 4000, endPort: 5000 }] })], true],
  ['it allows a port by name', [egress({ ports: [{ port: 'https' }] })], true],
  ['it allows another port', [egress({ ports: [{ port: 443 }] })], false],
  ['it allows another protocol', [egress({ ports: [{ port: 4444, protocol: 'UDP' }] })], false],
  ['it allows some addresses', [egress({ to: [{ ipBlock: { cidr: '192.0.2.0/24' } }] })], true],
  ['it allows the namespace', [egress({ to: [{ namespaceSelector: { matchLabels: { name: 'step' } } }] })], true],
  ['it allows another namespace', [egress({ to: [{ namespaceSelector: { matchLabels: { name: 'x' } } }] })], false],
  [
    'it allows such pods of its own namespace',
    [egress({ to: [{ podSelector: { matchLabels: { app: 'autocert' } } }] })],
    false,
  ],
  ['another one opens it', [policy({ podSelector: {}, policyTypes: ['Egress'] }), egress({})], true],
])('a way is open or closed: %s', (_, policies, expected) => {
  expect(isOpen(policies)).toBe(expected);
});

test('all policies that close a way are told', () => {
  expect(closedBy([egress({ ports: [{ port: 1 }] }), egress({ ports: [{ port: 2 }] })], pod, way)).toHaveLength(2);
});

test('whoever is outside of the cluster is let in by addresses, by other namespaces, and not by pods', () => {
  const { peer: _, ...outwards } = way;
  expect(isOpen([egress({ to: [{ ipBlock: { cidr: '0.0.0.0/0' } }] })], outwards)).toBe(true);
  expect(isOpen([egress({ to: [{ namespaceSelector: {} }] })], outwards)).toBe(true);
  expect(isOpen([egress({ to: [{ podSelector: {} }] })], outwards)).toBe(false);
});

test('where the port is not known, any but that of DNS is taken for it', () => {
  const { ports: _, ...any } = way;
  expect(isOpen([egress({ ports: [{ port: 16443 }] })], any)).toBe(true);
  expect(isOpen([egress({ ports: [{ port: 53 }] })], any)).toBe(false);
});

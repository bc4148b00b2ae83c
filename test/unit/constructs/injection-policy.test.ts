import { InjectionPolicy } from '../../../constructs/injection-policy.ts';
import type { PolicyConfig } from '../../../runtime/contract.ts';
import { find, listed, synth } from '../../support/manifests.ts';

const POLICY: PolicyConfig = {
  namespace: 'step',
  clusterDomain: 'cluster.local',
  reservedNames: [],
  defaultDuration: '24h',
  minDuration: '5m',
  maxDuration: '48h',
  excludedNamespaces: ['kube-system', 'step'],
  namespaces: { shop: { maxDuration: '12h' } },
};

const manifests = synth((chart) => new InjectionPolicy(chart, 'policy', { policy: () => POLICY }));
const { spec } = find(manifests, 'MutatingAdmissionPolicy');
const expressions: string[] = spec.mutations.map(
  (mutation: { jsonPatch: { expression: string } }) => mutation.jsonPatch.expression,
);

// That the API server makes the same pods of it as the webhook does is shown on a real one, by test/e2e.

test('renders policy and binding', () => {
  expect(listed(manifests)).toEqual(['MutatingAdmissionPolicy/autocert', 'MutatingAdmissionPolicyBinding/autocert']);
  expect(manifests).toMatchSnapshot();
});

test('touches only new pods in labelled namespaces, never those of Autocert and of the cluster itself', () => {
  expect(spec.matchConstraints).toEqual({
    matchPolicy: 'Equivalent',
    namespaceSelector: {
      matchLabels: { 'autocert.step.sm': 'enabled' },
      matchExpressions: [{ key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: ['kube-system', 'step'] }],
    },
    objectSelector: {},
    resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'], scope: '*' }],
  });
});

test('leaves pods alone that ask for nothing, or are injected already', () => {
  expect(spec.matchConditions.map(({ expression }: { expression: string }) => expression)).toEqual([
    'object.metadata.?annotations[?"autocert.step.sm/name"].orValue("") != ""',
    'object.metadata.?annotations[?"autocert.step.sm/status"].orValue("") != "injected"',
  ]);
});

test('only ever adds, at the end of lists, so nothing of the author is replaced', () => {
  for (const expression of expressions) {
    expect(expression.match(/op: "(\w+)"/g)).toEqual(expression.match(/op: "add"/g));
    expect(expression).not.toMatch(/path: [^,]*\/0/);
  }
});

test("limits each namespace's lifetime by what its AutocertNamespace says", () => {
  expect(spec.variables).toContainEqual({
    name: 'longest',
    expression: '[duration({"shop": "12h"}[?request.namespace].orValue("48h")), duration("48h")].min()',
  });
});

test('refuses pods rather than let them run without a certificate', () => {
  expect(spec.failurePolicy).toBe('Fail');
});

test('asks for the policy when all namespaces are known', () => {
  const late: { namespaces: PolicyConfig['namespaces'] } = { namespaces: {} };
  const made = synth((chart) => {
    new InjectionPolicy(chart, 'policy', { policy: () => ({ ...POLICY, ...late }) });
    late.namespaces = { bank: { maxDuration: '2h' } };
  });
  expect(JSON.stringify(find(made, 'MutatingAdmissionPolicy').spec.variables)).toContain('bank');
});

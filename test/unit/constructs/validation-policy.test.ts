import fc from 'fast-check';
import { celIsDuration } from '../../../constructs/cel.ts';
import { ValidationPolicy, type ValidationPolicyProps } from '../../../constructs/validation-policy.ts';
import type { PolicyConfig } from '../../../runtime/contract.ts';
import { parseDuration } from '../../../runtime/policy/duration.ts';
import { find, listed, synth } from '../../support/manifests.ts';

const PATTERNS = [
  '*.shop.example.com',
  '**.deep.example.com',
  'cart.*.example.net',
  'a.**.example.org',
  'spiffe://example.com/shop/*',
  'spiffe://example.com/all/**',
  'spiffe://example.com/one',
  'urn:shop:cart',
];

const POLICY: PolicyConfig = {
  namespace: 'step',
  clusterDomain: 'cluster.local',
  reservedNames: [],
  defaultDuration: '24h',
  minDuration: '5m',
  maxDuration: '48h',
  excludedNamespaces: ['kube-system', 'step'],
  namespaces: { shop: { allowedNames: PATTERNS }, bank: { maxDuration: '12h' } },
};

const made = (props: Partial<ValidationPolicyProps> = {}) =>
  synth((chart) => new ValidationPolicy(chart, 'policy', { policy: () => POLICY, ...props }));
const specOf = (props?: Partial<ValidationPolicyProps>) => find(made(props), 'ValidatingAdmissionPolicy').spec;
const resources = (props?: Partial<ValidationPolicyProps>) =>
  specOf(props).matchConstraints.resourceRules.flatMap((rule: { resources: string[] }) => rule.resources);

// That the API server says the same of pods as the webhook does is shown on a real one, by test/e2e.

test('renders policy and binding', () => {
  expect(listed(made())).toEqual(['ValidatingAdmissionPolicy/autocert', 'ValidatingAdmissionPolicyBinding/autocert']);
  expect(made()).toMatchSnapshot();
});

test('refuses, unless it is to report: then it warns, and the audit log has it', () => {
  const actions = (props?: Partial<ValidationPolicyProps>) =>
    find(made(props), 'ValidatingAdmissionPolicyBinding').spec.validationActions;
  expect(actions()).toEqual(['Deny']);
  expect(actions({ mode: 'report' })).toEqual(['Warn', 'Audit']);
  expect(specOf({ mode: 'report' })).toEqual(specOf());
});

test('judges what makes pods, and pods only where no webhook does', () => {
  const workloads = ['deployments', 'statefulsets', 'daemonsets', 'jobs', 'cronjobs'];
  expect(resources()).toEqual(workloads);
  expect(resources({ policyInjector: true })).toEqual(['pods', ...workloads]);
});

test('never judges what does not change its annotations: controllers must be able to finish a deletion', () => {
  expect(specOf().matchConditions[1]).toMatchObject({
    name: 'asks-for-another-than-before',
    expression: expect.stringMatching(/^request\.operation == "CREATE" \|\| .* != .*$/),
  });
});

test('refuses what native delivery cannot do only where there is no other', () => {
  const messages = (props?: Partial<ValidationPolicyProps>) => JSON.stringify(specOf(props).validations);
  expect(messages()).not.toContain('pod certificates');
  expect(messages({ policyInjector: true })).toContain('the API takes 1h to 2184h');
});

test('takes names of any length: one of more than 64 characters is carried in the SAN alone', () => {
  const { validations } = specOf();
  expect(JSON.stringify(validations)).not.toContain('variables.name.size()');
});

test('never judges the namespaces that are excluded', () => {
  expect(specOf().matchConstraints.namespaceSelector.matchExpressions).toEqual([
    { key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: ['kube-system', 'step'] },
  ]);
});

test('needs the CEL functions on addresses (Kubernetes 1.31) only where an address is allowed', () => {
  expect(JSON.stringify(specOf())).not.toContain('isIP');
  const namespaces = { shop: { allowedNames: ['10.1.0.0/16', 'fd00::1'] } };
  const spec = JSON.stringify(specOf({ policy: () => ({ ...POLICY, namespaces }) }));
  expect(spec).toContain('10.1.0.0/16,fd00::1/128');
  expect(spec).toContain('isIP');
});

test('what a user gave is a literal, never code', () => {
  const namespaces = { shop: { allowedNames: ['spiffe://example.com/it\'s"+x'] } };
  const spec = specOf({ policy: () => ({ ...POLICY, namespaces }) });
  const allowed = spec.variables.find(({ name }: { name: string }) => name === 'allowed').expression;
  expect(allowed).toContain(JSON.stringify('^(spiffe://example\\.com/it\'s"\\+x)$'));
});

describe('durations', () => {
  const [, form = ''] = /matches\((".*")\)/.exec(celIsDuration('text')) ?? [];
  const expression = new RegExp(JSON.parse(form));
  const taken = (text: string) => text.length <= 64 && expression.test(text);
  /** Milliseconds, if the runtime takes it for a lifetime that a policy can allow: less than 100,000 hours. */
  const byRuntime = (text: string): number | undefined => {
    try {
      const ms = parseDuration(text);
      return ms > 0 && ms < 100_000 * 3_600_000 ? ms : undefined;
    } catch {
      return undefined;
    }
  };
  const number = fc.oneof(
    fc.nat(10 ** 6).map(String),
    fc.constantFrom('1.5', '.5', '2.', '007', '90', '', '1e3', '-1'),
  );
  const part = fc
    .tuple(number, fc.constantFrom('h', 'm', 's', 'ms', 'us', 'µs', 'μs', 'ns', '', 'd'))
    .map(([n, u]) => n + u);

  test.each(['30m1h', '1h1h', '90m', '1h30m', '1.5h', '0001h', '86400s', '86400000ms', '1h0m0s'])(
    '%s is one, as the runtime has it',
    (text) => expect([taken(text), byRuntime(text) !== undefined]).toEqual([true, true]),
  );

  test.each(['', '1', 'h', '1d', '1h 30m', '-1h', '+1h', '1h30'])('%j is none', (text) => {
    expect([taken(text), byRuntime(text)]).toEqual([false, undefined]);
  });

  test('that the runtime takes are never refused, in whatever order their units are', () => {
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 5 }), (parts) => {
        const text = parts.join('');
        expect([text, byRuntime(text) === undefined || taken(text)]).toEqual([text, true]);
      }),
      { numRuns: 2000 },
    );
  });

  test('that are let through are ones that CEL can read: at most 292 years', () => {
    const widest = fc.constantFrom('99999h', '9999999m', '999999999s', '999999999999ms', '999999999999999us');
    fc.assert(
      fc.property(fc.array(fc.oneof(widest, part), { minLength: 1, maxLength: 16 }), (parts) => {
        const text = parts.join('');
        if (taken(text)) expect(() => parseDuration(text)).not.toThrow();
      }),
      { numRuns: 2000 },
    );
  });
});

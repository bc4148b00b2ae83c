import { ApiObject, App, Chart, Duration, JsonPatch } from 'cdk8s';
import fc from 'fast-check';
import { checkAllowedName } from '../../../constructs/allowed-name.ts';
import { AutocertNamespace, type AutocertNamespaceProps, AutocertWebhook, StepCa } from '../../../constructs/index.ts';
import { patternProblem } from '../../../runtime/policy/patterns.ts';
import { configOf, find, type Manifest } from '../../support/manifests.ts';
import { policy } from '../../support/pods.ts';

type Props = Omit<AutocertNamespaceProps, 'webhook'>;

/** The namespaces in a chart of their own, and the configuration that they give the webhook. */
function made(...namespaces: readonly Props[]) {
  const app = new App();
  const system = new Chart(app, 'system');
  const webhook = new AutocertWebhook(system, 'autocert', { ca: new StepCa(system, 'ca') });
  const chart = new Chart(app, 'namespaces');
  const constructs = namespaces.map((props) => new AutocertNamespace(chart, props.name, { webhook, ...props }));
  const config = (name: string) => configOf(system.toJson() as Manifest[], name, 'config.json');
  return { chart, constructs, manifests: chart.toJson() as readonly Manifest[], config };
}

describe('AutocertNamespace', () => {
  test('renders a namespace with everything', () => {
    const { manifests } = made({ name: 'shop', podSecurity: 'restricted', labels: { team: 'shop' } });
    expect(manifests).toMatchSnapshot();
  });

  test('turns autocert on by the label', () => {
    expect(made({ name: 'shop' }).manifests[0]?.metadata.labels).toMatchObject({ 'autocert.step.sm': 'enabled' });
  });

  test('cannot be turned off by a label of the user', () => {
    const { manifests } = made({ name: 'shop', labels: { 'autocert.step.sm': 'disabled' } });
    expect(manifests[0]?.metadata.labels).toMatchObject({ 'autocert.step.sm': 'enabled' });
  });

  test('sets the Pod Security level that is asked for, and none otherwise', () => {
    const key = 'pod-security.kubernetes.io/enforce';
    expect(made({ name: 'shop', podSecurity: 'baseline' }).manifests[0]?.metadata.labels).toHaveProperty(
      [key],
      'baseline',
    );
    expect(made({ name: 'shop' }).manifests[0]?.metadata.labels).not.toHaveProperty([key]);
  });

  test('only labels a namespace of somebody else, and tells Argo CD to leave it alone', () => {
    expect(made({ name: 'default', create: false }).manifests).toEqual([
      {
        apiVersion: 'v1',
        kind: 'Namespace',
        metadata: {
          name: 'default',
          labels: { 'autocert.step.sm': 'enabled' },
          annotations: {
            'argocd.argoproj.io/sync-options': 'Delete=false,Prune=false,ServerSideApply=true',
            'kustomize.toolkit.fluxcd.io/prune': 'disabled',
          },
        },
      },
    ]);
  });

  test('tells webhook and signer its rules, whatever the order', () => {
    const { config } = made(
      { name: 'shop', allowedNames: ['*.shop.example.com', '10.1.0.0/16'], maxDuration: Duration.minutes(90) },
      { name: 'bank' },
    );
    for (const name of ['autocert-config', 'autocert-signer-config']) {
      expect(JSON.stringify(config(name).namespaces)).toBe(
        JSON.stringify({
          bank: { allowedNames: [] },
          shop: { allowedNames: ['*.shop.example.com', '10.1.0.0/16'], maxDuration: '1h30m' },
        }),
      );
    }
  });

  test('tells them what is bound to service accounts, a Service in all of its spellings', () => {
    const serviceAccounts = { pay: { allowedNames: ['pay.till.svc', 'pay.example.com'] }, lazy: { allowedNames: [] } };
    const { config } = made({ name: 'till', serviceAccounts });
    for (const name of ['autocert-config', 'autocert-signer-config']) {
      expect(config(name).namespaces.till.serviceAccounts).toEqual({
        pay: { allowedNames: ['pay.till.svc', 'pay.till.svc.cluster.local', 'pay.till', 'pay.example.com'] },
        lazy: { allowedNames: [] },
      });
    }
  });

  test('is the construct whose Namespace the escape hatch finds', () => {
    const { chart, constructs } = made({ name: 'shop' });
    for (const construct of constructs) {
      ApiObject.of(construct).addJsonPatch(JsonPatch.add('/metadata/labels/team', 'shop'));
    }
    expect(find(chart.toJson(), 'Namespace').metadata.labels).toMatchObject({ team: 'shop' });
  });
});

describe('AutocertNamespace refuses', () => {
  test.each<[string, Props[], RegExp]>([
    ['a name that cannot exist', [{ name: 'Shop' }], /^name: got "Shop"/],
    [
      'the namespace of the CA',
      [{ name: 'step' }],
      /^name: got "step", but the pods of this namespace never get a certificate$/,
    ],
    ['kube-system', [{ name: 'kube-system' }], /^name: got "kube-system"/],
    ['an unknown level', [{ name: 'shop', podSecurity: 'lax' as 'baseline' }], /^podSecurity: got "lax"/],
    [
      "a lifetime beyond the CA's",
      [{ name: 'shop', maxDuration: Duration.days(30) }],
      /^maxDuration: got "720h", but it must not exceed the CA's maxDuration, 24h$/,
    ],
    [
      "a lifetime below the CA's shortest",
      [{ name: 'shop', maxDuration: Duration.minutes(1) }],
      /^the CA's minDuration: got "5m", but it must not exceed maxDuration, 1m$/,
    ],
    [
      'a pattern that is none, and says which',
      [{ name: 'shop', allowedNames: ['ok.example.com', 'Shop.example.com'] }],
      /^allowedNames\[1\]: got "Shop.example.com", but it has upper-case letters; write "shop.example.com" \(it takes DNS/,
    ],
    ...['**.svc', '*.*.svc', '*.svc.cluster.local', '**.pod.cluster.local', '**.cluster.local'].map(
      (pattern): [string, Props[], RegExp] => [
        `names of other namespaces, ${pattern}`,
        [{ name: 'shop', allowedNames: [pattern] }],
        /^allowedNames\[0\]: got "\*.*", but it (stands for names of other namespaces|is a wildcard over)/,
      ],
    ),
    ...['ca.step.svc', '*.step.svc', '**.step.svc.cluster.local', 'autocert.step', 'https://ca.step.svc/acme'].map(
      (pattern): [string, Props[], RegExp] => [
        `the names of the system, ${pattern}`,
        [{ name: 'shop', allowedNames: [pattern] }],
        /^allowedNames\[0\]: got .*, but these names are reserved to the cluster/,
      ],
    ),
    [
      'a service account that cannot exist',
      [{ name: 'shop', serviceAccounts: { Pay: { allowedNames: [] } } }],
      /^serviceAccounts: got "Pay", but it takes lower-case letters/,
    ],
    [
      'a service account with a list instead of an object',
      [{ name: 'shop', serviceAccounts: { pay: ['pay.shop.svc'] as never } }],
      /^serviceAccounts.pay: got \["pay.shop.svc"\], but it takes an object$/,
    ],
    [
      'a service account without names',
      [{ name: 'shop', serviceAccounts: { pay: {} as never } }],
      /^serviceAccounts.pay.allowedNames: got undefined, but it takes a list$/,
    ],
    [
      'a pattern without a list',
      [{ name: 'shop', allowedNames: '*.x.com' as never }],
      /^allowedNames: got "\*.x.com", but/,
    ],
    [
      'a pattern that is a number',
      [{ name: 'shop', allowedNames: [5] as never }],
      /^allowedNames\[0\]: got 5, but it takes/,
    ],
    [
      'a lifetime that is a word',
      [{ name: 'shop', maxDuration: '24h' as never }],
      /^maxDuration: got "24h", but it takes a Duration, such as Duration.hours\(24\)$/,
    ],
    ['labels that are numbers', [{ name: 'shop', labels: { tier: 1 } as never }], /^labels.tier: got 1, but it takes/],
    [
      'a flag that is a word',
      [{ name: 'shop', create: 'no' as never }],
      /^create: got "no", but it takes true or false$/,
    ],
  ])('%s', (_what, props, message) => expect(() => made(...props)).toThrow(message));

  test('a webhook that is none', () => {
    const attempt = () => new AutocertNamespace(new Chart(new App(), 'test'), 'shop', { name: 'shop' } as never);
    expect(attempt).toThrow(/^webhook: got undefined, but it takes an AutocertWebhook$/);
  });

  test('the same namespace twice', () => {
    const app = new App();
    const chart = new Chart(app, 'test');
    const webhook = new AutocertWebhook(chart, 'autocert', { ca: new StepCa(chart, 'ca') });
    new AutocertNamespace(chart, 'one', { webhook, name: 'shop' });
    expect(() => new AutocertNamespace(chart, 'two', { webhook, name: 'shop' })).toThrow(
      /^name: got "shop", but the rules of this namespace are given already$/,
    );
  });
});

describe('a pattern of allowedNames', () => {
  const taken = (pattern: string) => {
    try {
      checkAllowedName(policy())('allowedNames[0]', pattern);
      return true;
    } catch {
      return false;
    }
  };

  test.each([
    'shop.example.com',
    '*.shop.example.com',
    '**.example.com',
    'a.*.example.com',
    '192.0.2.7',
    '10.1.0.0/16',
    '2001:db8::/32',
    '2001:db8::1',
    'spiffe://example.com/shop/*',
    'spiffe://example.com/ns/*/sa/**',
    'https://example.com',
    'urn:shop:cart',
  ])('may be %s', (pattern) => expect([taken(pattern), patternProblem(pattern)]).toEqual([true, undefined]));

  test.each([
    '',
    '*',
    '**',
    '**.a.**.example.com',
    'sh*p.example.com',
    'shop_1.example.com',
    'example.com.',
    'EXAMPLE.com',
    'exämple.com',
    'a..b',
    '1.2.3',
    '1.2.3.4.5',
    '0x7f.1',
    '10.1.0.0/33',
    '10.1.0.0/',
    '10.1.0/16',
    '::ffff:192.0.2.7',
    'fe80::1%eth0',
    'spiffe://user@example.com/x',
    'spiffe://example.com/shop/**/x',
    'spiffe://example.com/sh*p',
    'spiffe://example.com//x',
    'spiffe://example.com/../x',
    'spiffe:///x',
    'https://example.com/?q=1',
    'https://Example.com',
    'urn:x',
    'a\nb',
    `${'a'.repeat(64)}.example.com`,
    `${'a.'.repeat(130)}example.com`,
  ])('may not be %j', (pattern) => {
    expect(taken(pattern)).toBe(false);
    expect(patternProblem(pattern)).toBeDefined();
  });

  test('that is taken at synth is taken by the webhook, so that it never fails at start', () => {
    const part = fc.constantFrom(
      '*',
      '**',
      'a',
      'b-c',
      '1',
      '10.1.0.0',
      '/',
      '16',
      '.',
      ':',
      '//',
      'x',
      '-',
      '%',
      'ä',
      'urn:',
    );
    const pattern = fc.array(part, { maxLength: 8 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(pattern, (text) => !taken(text) || patternProblem(text) === undefined),
      { numRuns: 2000 },
    );
  });
});

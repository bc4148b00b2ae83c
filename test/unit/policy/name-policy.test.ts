import fc from 'fast-check';
import type { PolicyConfig } from '../../../runtime/contract.ts';
import { type NameScope, nameRefusal } from '../../../runtime/policy/name-policy.ts';
import { parseName } from '../../../runtime/policy/names.ts';
import { clusterDomainProblem, reachProblem, spellingsOf } from '../../../runtime/policy/own-names.ts';
import { patternProblem } from '../../../runtime/policy/patterns.ts';
import { policy } from '../../support/pods.ts';

const scopeIn = (namespace: string, overrides: Partial<PolicyConfig> = {}): NameScope => {
  return { namespace, serviceAccount: 'default', policy: policy(overrides) };
};
const till = (...allowedNames: string[]) => scopeIn('till', { namespaces: { till: { allowedNames } } });
const refusal = (name: string, scope: NameScope) => nameRefusal(parseName(name), scope);

describe('without patterns', () => {
  test.each([
    'web.till.svc',
    'web-0.web.till.svc',
    'web.till.svc.cluster.local',
    'web-0.web.till.svc.cluster.local',
    '10-1-2-3.till.pod.cluster.local',
    'web.till',
    '*.till.svc',
    '*.web.till.svc.cluster.local',
    '*.till',
  ])('%s is a name of namespace till', (name) => {
    expect(refusal(name, till())).toBeUndefined();
  });

  test.each([
    'web.other.svc',
    'till.svc',
    'till',
    'web.till.svc.example.com',
    'web.till.pod',
    'a.web.till',
    'webtill.svc',
    'web.xtill.svc',
    'web.till.svc.cluster.local.evil.example',
    '*.svc.cluster.local',
    '*.svc',
    'example.com',
    'localhost',
    '10.0.0.1',
    '::1',
    'spiffe://cluster.local/ns/till/sa/web',
  ])('%s is none', (name) => {
    expect(refusal(name, till())).toMatch(/is not a name that pods of namespace "till" may have/);
  });

  test('the refusal says which name, why, and what would allow it, but not what else is allowed to whom', () => {
    expect(refusal('web.other.svc', till('*.till.example.com'))).toBe(
      '"web.other.svc" is not a name that pods of namespace "till" may have: allowed are *.till.svc, *.till.svc.cluster.local, ' +
        '*.till.pod.cluster.local, <service>.till, and what whoever runs the cluster allows by allowedNames of this ' +
        "namespace's AutocertNamespace",
    );
  });

  test('the refusal promises no short name where there is none', () => {
    expect(refusal('web.shop', scopeIn('shop'))).not.toContain('<service>');
    expect(refusal('web.till', scopeIn('till', { shortNames: false }))).not.toContain('<service>');
  });

  test('a reserved name and one of another account are told apart from one that could be allowed', () => {
    const serviceAccounts = { pay: { allowedNames: ['pay.till.svc'] } };
    const scope = scopeIn('till', { namespaces: { till: { serviceAccounts } } });
    expect(refusal('ca.step.svc', scope)).toMatch(/^"ca\.step\.svc" is reserved to the cluster/);
    expect(refusal('pay.till.svc', scope)).toMatch(
      /is bound to other service accounts of namespace "till" than "default"/,
    );
  });
});

describe('DNS patterns', () => {
  test.each([
    ['*.example.com', 'a.example.com', true],
    ['*.example.com', '*.example.com', true],
    ['*.example.com', 'a.b.example.com', false],
    ['*.example.com', 'example.com', false],
    ['*.example.com', 'aexample.com', false],
    ['*.example.com', 'a.examplexcom', false],
    ['**.example.com', 'a.b.example.com', true],
    ['**.example.com', '*.b.example.com', true],
    ['**.example.com', 'example.com', false],
    ['api.*.example.com', 'api.eu.example.com', true],
    ['api.*.example.com', '*.eu.example.com', false],
    ['example.com', 'example.com', true],
    ['example.com', '*.com', false],
    ['localhost', 'localhost', true],
  ])('%s and %s: %s', (pattern, name, allowed) => {
    expect(patternProblem(pattern)).toBeUndefined();
    expect(refusal(name, till(pattern)) === undefined).toBe(allowed);
  });

  test.each(['*', '**', '*.*', 'a.*', 'a.**', '**.a.**.b', 'a*.example.com', 'Example.com', 'example.com.', ''])(
    '%j is no pattern, and allows nothing',
    (pattern) => {
      expect(patternProblem(pattern)).toBeDefined();
      expect(refusal('a.example.com', till(pattern))).toBeDefined();
    },
  );

  test.each([
    ['*.Shop.example.com', 'it has upper-case letters; write "*.shop.example.com"'],
    ['**.a.**.b', 'it has "**" more than once'],
    ['*.*', 'it allows every name; end it in a domain'],
    ['web.*', 'it ends in a wildcard, which stands for every top-level domain'],
    ['a*.example.com', 'its label "a*" has a "*", which stands for whole labels only'],
    ['*.shop_1.example.com', 'its label "shop_1" has an underscore, which host names never have'],
    ['', 'it is empty'],
  ])('what is wrong with %j is said of it as it was written', (pattern, problem) => {
    expect(patternProblem(pattern)).toBe(problem);
  });

  test('a wildcard name is allowed only if every name it stands for is', () => {
    const label = fc.stringMatching(/^[a-z]{1,3}$/);
    const wild = fc.constantFrom('*', '**');
    const patterns = fc.tuple(fc.oneof(wild, label), fc.array(label, { minLength: 1, maxLength: 3 }));
    fc.assert(
      fc.property(patterns, fc.array(label, { minLength: 1, maxLength: 3 }), label, ([first, rest], tail, other) => {
        const pattern = [first, ...rest].join('.');
        const scope = till(pattern);
        if (refusal(`*.${tail.join('.')}`, scope) !== undefined) return;
        expect(refusal(`${other}.${tail.join('.')}`, scope)).toBeUndefined();
      }),
    );
  });
});

describe('IP patterns', () => {
  test.each([
    ['10.1.0.0/16', '10.1.255.3', true],
    ['10.1.0.0/16', '10.2.0.1', false],
    ['10.1.2.3', '10.1.2.3', true],
    ['10.1.2.3', '10.1.2.4', false],
    ['fd00::/64', 'fd00::abcd', true],
    ['fd00::/64', 'fd00:0:0:1::1', false],
    ['::/0', '10.1.2.3', false],
    ['0.0.0.0/0', '::1', false],
  ])('%s and %s: %s', (pattern, name, allowed) => {
    expect(refusal(name, till(pattern)) === undefined).toBe(allowed);
  });

  test.each([
    '10.1.0.0/33',
    '10.1.0.0/',
    '10.1.0.0/16/8',
    '10.1.0.0/-1',
    'fd00::/129',
    '10.1/16',
    '::ffff:10.0.0.0/96',
  ])('%s is no pattern', (pattern) => {
    expect(patternProblem(pattern)).toBeDefined();
  });
});

describe('URI patterns', () => {
  test.each([
    ['spiffe://td/ns/shop/sa/*', 'spiffe://td/ns/shop/sa/web', true],
    ['spiffe://td/ns/shop/sa/*', 'spiffe://td/ns/shop/sa/web/x', false],
    ['spiffe://td/ns/shop/sa/*', 'spiffe://td/ns/other/sa/web', false],
    ['spiffe://td/ns/shop/sa/*', 'spiffe://td2/ns/shop/sa/web', false],
    ['spiffe://td/ns/shop/**', 'spiffe://td/ns/shop/sa/web', true],
    ['spiffe://td/ns/shop/**', 'spiffe://td/ns/shop', false],
    ['spiffe://td/a.b', 'spiffe://td/a.b', true],
    ['spiffe://td/a.b', 'spiffe://td/aXb', false],
    ['spiffe://td', 'spiffe://td', true],
    ['urn:a1:b', 'urn:a1:b', true],
    ['urn:a1:b', 'urn:a1:c', false],
  ])('%s and %s: %s', (pattern, name, allowed) => {
    expect(patternProblem(pattern)).toBeUndefined();
    expect(refusal(name, till(pattern)) === undefined).toBe(allowed);
  });

  test.each(['spiffe://*/a', 'spiffe://td/**/a', 'spiffe://td/a*'])('%s is no pattern', (pattern) => {
    expect(patternProblem(pattern)).toBeDefined();
  });
});

describe('what reaches into the names of other namespaces is not granted', () => {
  test.each([
    ...['**.svc', '*.svc', '*.*.svc', 'pay.*.svc', '**.svc.cluster.local', '*.*.svc.cluster.local'],
    ...['*.svc.cluster.local', '*.*.pod.cluster.local', '**.pod.cluster.local', '*.pod.cluster.local'],
    ...['**.cluster.local', '*.cluster.local', '**.local', '*.*.*.*.local', 'pay.bank.*.cluster.local', 'pay.**.local'],
  ])('%s', (pattern) => {
    expect(patternProblem(pattern)).toBeUndefined();
    expect(reachProblem(pattern, 'cluster.local')).toBeDefined();
  });

  test.each([
    ...['pay.bank.svc', '*.bank.svc', '**.bank.svc.cluster.local', '*.bank.pod.cluster.local', '*.example.com'],
    ...[
      '*.*.example.com',
      '**.example.com',
      '*.local',
      '*.foo.cluster.local',
      '10.0.0.0/8',
      'spiffe://cluster.local/*',
    ],
  ])('unlike %s', (pattern) => expect(reachProblem(pattern, 'cluster.local')).toBeUndefined());

  test('in a cluster whose domain is below one that is granted', () => {
    expect(reachProblem('*.example.com', 'k8s.example.com')).toBeUndefined();
    expect(reachProblem('api.*.example.com', 'k8s.example.com')).toBeUndefined();
    expect(reachProblem('**.example.com', 'k8s.example.com')).toMatch(/^it stands for names of other namespaces/);
    expect(reachProblem('*.*.*.*.example.com', 'k8s.example.com')).toMatch(/^it stands for names of other namespaces/);
  });

  test('whatever the pattern and the domain are', () => {
    const label = fc.constantFrom('*', '**', 'svc', 'pod', 'bank', 'pay', 'cluster', 'local', 'example', 'com');
    const pattern = fc.array(label, { minLength: 1, maxLength: 6 }).map((labels) => labels.join('.'));
    const clusterDomain = fc.constantFrom('cluster.local', 'local', 'example.com', 'bank.example.com', 'svc.local');
    const service = fc.constantFrom('pay', 'a.pay', '*', '*.pay', 'bank', 'svc');
    const zone = fc.constantFrom('svc', 'svc.DOMAIN', 'pod.DOMAIN');
    fc.assert(
      fc.property(pattern, clusterDomain, service, zone, (granted, domain, start, end) => {
        if (patternProblem(granted) ?? reachProblem(granted, domain)) return;
        const victim = `.bank.${end.replace('DOMAIN', domain)}`;
        const scope = scopeIn('till', { clusterDomain: domain, namespaces: { till: { allowedNames: [granted] } } });
        if (refusal(start + victim, scope) === undefined)
          expect([granted, granted.endsWith(victim)]).toEqual([granted, true]);
      }),
      { numRuns: 5000 },
    );
  });
});

describe('the domain of a cluster', () => {
  test.each(['svc', 'foo.svc', 'a.b.svc'])('is not %s', (domain) => expect(clusterDomainProblem(domain)).toBeDefined());
  test.each(['cluster.local', 'local', 'svc.example.com', 'example.com'])('may be %s', (domain) => {
    expect(clusterDomainProblem(domain)).toBeUndefined();
  });
});

describe('the spellings of a Service', () => {
  const long = ['pay.till.svc', 'pay.till.svc.cluster.local'];
  test.each([
    ['till', 'pay.till.svc', [...long, 'pay.till']],
    ['till', 'pay.till.svc.cluster.local', [...long, 'pay.till']],
    ['till', 'pay.till', [...long, 'pay.till']],
    ['till', '*.till.svc', ['*.till.svc', '*.till.svc.cluster.local', '*.till']],
    ['till', '**.till.svc', ['**.till.svc', '**.till.svc.cluster.local']],
    ['till', '*.pay.till.svc', ['*.pay.till.svc', '*.pay.till.svc.cluster.local']],
    ['till', 'x.pay.till', ['x.pay.till']],
    ['till', 'pay.bank.svc', ['pay.bank.svc']],
    ['till', 'pay.example.com', ['pay.example.com']],
    ['till', 'spiffe://td/pay.till.svc', ['spiffe://td/pay.till.svc']],
    ['till', '10.0.0.1', ['10.0.0.1']],
    // Anybody can buy pay.shop.
    ['shop', 'pay.shop.svc', ['pay.shop.svc', 'pay.shop.svc.cluster.local']],
    ['shop', 'pay.shop', ['pay.shop']],
  ])('in %s of %s', (namespace, pattern, spellings) => {
    expect(spellingsOf(pattern, namespace, { clusterDomain: 'cluster.local' })).toEqual(spellings);
  });
});

import fc from 'fast-check';
import { type NameScope, nameRefusal, patternProblem } from '../../../runtime/policy/name-policy.ts';
import { parseName } from '../../../runtime/policy/names.ts';

const shop = (...allowedNames: string[]): NameScope => ({
  namespace: 'shop',
  clusterDomain: 'cluster.local',
  allowedNames,
});
const refusal = (name: string, scope: NameScope) => nameRefusal(parseName(name), scope);

describe('without patterns', () => {
  test.each([
    'web.shop.svc',
    'web-0.web.shop.svc',
    'web.shop.svc.cluster.local',
    'web-0.web.shop.svc.cluster.local',
    '10-1-2-3.shop.pod.cluster.local',
    'web.shop',
    '*.shop.svc',
    '*.web.shop.svc.cluster.local',
    '*.shop',
  ])('%s is a name of namespace shop', (name) => {
    expect(refusal(name, shop())).toBeUndefined();
  });

  test.each([
    'web.other.svc',
    'autocert.step.svc',
    'shop.svc',
    'shop',
    'web.shop.svc.example.com',
    'web.shop.pod',
    'a.web.shop',
    'webshop.svc',
    'web.xshop.svc',
    'web.shop.svc.cluster.local.evil.example',
    '*.svc.cluster.local',
    '*.svc',
    'example.com',
    'localhost',
    '10.0.0.1',
    '::1',
    'spiffe://cluster.local/ns/shop/sa/web',
  ])('%s is none', (name) => {
    expect(refusal(name, shop())).toMatch(/is not a name that pods of namespace "shop" may have/);
  });

  test('the refusal says which name, why, and what would allow it', () => {
    expect(refusal('web.other.svc', shop('*.shop.example.com'))).toBe(
      '"web.other.svc" is not a name that pods of namespace "shop" may have: allowed are *.shop.svc, *.shop.svc.cluster.local, ' +
        '*.shop.pod.cluster.local, <service>.shop, *.shop.example.com; whoever runs the cluster allows more by allowedNames of this ' +
        "namespace's AutocertNamespace",
    );
  });

  test('a long list of patterns is cut short in the refusal', () => {
    const many = Array.from({ length: 100 }, (_, index) => `n${index}.example.com`);
    expect(refusal('x.example.org', shop(...many))).toMatch(/n7\.example\.com and 92 more/);
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
    expect(refusal(name, shop(pattern)) === undefined).toBe(allowed);
  });

  test.each(['*', '**', '*.*', '**.a.**.b', 'a*.example.com', 'Example.com', 'example.com.', ''])(
    '%j is no pattern, and allows nothing',
    (pattern) => {
      expect(patternProblem(pattern)).toBeDefined();
      expect(refusal('a.example.com', shop(pattern))).toBeDefined();
    },
  );

  test.each([
    ['*.Shop.example.com', 'it has upper-case letters; write "*.shop.example.com"'],
    ['**.a.**.b', 'it has "**" more than once'],
    ['*.*', 'it allows every name; end it in a domain'],
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
        const scope = shop(pattern);
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
    expect(refusal(name, shop(pattern)) === undefined).toBe(allowed);
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
    expect(refusal(name, shop(pattern)) === undefined).toBe(allowed);
  });

  test.each(['spiffe://*/a', 'spiffe://td/**/a', 'spiffe://td/a*'])('%s is no pattern', (pattern) => {
    expect(patternProblem(pattern)).toBeDefined();
  });
});

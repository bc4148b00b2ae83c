import fc from 'fast-check';
import { celNames } from '../../../constructs/cel-names.ts';
import type { PolicyConfig } from '../../../runtime/contract.ts';
import { nameRefusal } from '../../../runtime/policy/name-policy.ts';
import { parseName } from '../../../runtime/policy/names.ts';
import { type Asked, evaluated } from '../../support/cel.ts';
import { policy } from '../../support/pods.ts';
import { ASKED, THEFT_POLICY } from '../../support/thefts.ts';

/** What webhook, certificate endpoint and signer say. */
function byRuntime(config: PolicyConfig, { namespace, serviceAccount = 'default', name }: Asked): boolean {
  try {
    return nameRefusal(parseName(name), { namespace, serviceAccount, policy: config }) === undefined;
  } catch {
    return false;
  }
}

describe('which names a pod may have, the admission policy says as webhook, certificate endpoint and signer do', () => {
  const { allowed } = evaluated(celNames(THEFT_POLICY));

  test.each(ASKED.map((asked) => [asked.namespace, asked.serviceAccount, asked.name, asked] as const))(
    'in %s, as %s: %j',
    (_namespace, _account, _name, asked) => {
      expect([allowed(asked), byRuntime(THEFT_POLICY, asked)]).toEqual([asked.allowed, asked.allowed]);
    },
  );

  const label = fc.constantFrom(
    ...[
      'shop',
      'svc',
      'cluster',
      'local',
      'pod',
      'a',
      'web',
      'pay',
      'ca',
      '*',
      'x-1',
      'deep',
      'example',
      'com',
      'step',
    ],
    ...['kubernetes', 'default', 'autocert', '', 'A', '-a', 'a_b', 'bank', 'one', '1', 'xn--a'],
  );
  const ends = [
    ...[
      'till.svc',
      'till.svc.cluster.local',
      'till.pod.cluster.local',
      'till',
      'step.svc',
      'step',
      'default.svc',
      'default',
    ],
    ...['svc', 'cluster.local', 'example.com', 'example.org', 'deep.example.com', 'com', 'till.svc.', ''],
  ];
  const dns = fc
    .tuple(fc.array(label, { maxLength: 3 }), fc.constantFrom(...ends))
    .map(([start, end]) => [...start, ...(end === '' ? [] : [end])].join('.'));
  const segment = fc.constantFrom('shop', 'all', 'one', 'x', 'a.b', '*', '', 'x?y', '.', '..', '...', '.x', '..x');
  const uri = fc
    .tuple(
      fc.constantFrom('spiffe', 'https'),
      fc.constantFrom('example.com', 'example.comx', 'ca.step.svc'),
      fc.array(segment),
    )
    .map(([scheme, host, path]) => [`${scheme}://${host}`, ...path].join('/'));
  const address = fc.constantFrom(
    '10.1.0.1',
    '10.2.0.1',
    '10.96.0.1',
    '10.3.0.7',
    'fd00::1',
    'FD00:0::1',
    '::ffff:10.2.0.1',
  );
  const name = fc.oneof(dns, uri, address, fc.constantFrom('urn:till:cart', 'urn:till:carts'));
  const namespace = fc.constantFrom('till', 'shop', 'com', 'local', 'svc', 'default', 'de', 'xn--a', 'constructor');
  const account = fc.constantFrom(undefined, '', 'default', 'web', 'pay', 'constructor');
  const asked = fc.record({ namespace, serviceAccount: account, name });
  const agree = (config: PolicyConfig) => {
    const byPolicy = evaluated(celNames(config));
    fc.assert(
      fc.property(asked, ({ serviceAccount, ...rest }) => {
        const who = { ...rest, ...(serviceAccount !== undefined && { serviceAccount }) };
        const runsAs = { ...rest, serviceAccount: serviceAccount || 'default' };
        expect([who, byPolicy.allowed(who)]).toEqual([who, byRuntime(config, runsAs)]);
      }),
      { numRuns: 3000 },
    );
  };

  test('whatever is asked for', () => agree(THEFT_POLICY));
  test('whatever is asked for where nothing is configured', () => agree(policy()));
  test('whatever is asked for without short names', () => agree({ ...THEFT_POLICY, shortNames: false }));
  test('whatever is asked for in a cluster of another domain', () =>
    agree({ ...THEFT_POLICY, clusterDomain: 'example.com' }));
});

test('functions on addresses (Kubernetes 1.31) are used only where an address is allowed', () => {
  const reserved = policy({ reservedNames: ['10.96.0.1'] });
  expect(JSON.stringify(celNames(reserved))).not.toContain('isIP');
  const account = { serviceAccounts: { pay: { allowedNames: ['10.1.0.1'] } } };
  expect(celNames({ ...reserved, namespaces: { till: account } }).variables.reservedBlocks).toBe('"10.96.0.1/32"');
});

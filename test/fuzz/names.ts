/**
 * Names that a pod might ask for: its own, other people's, and such as look like either.
 * @module
 */
import fc, { type Arbitrary } from 'fast-check';
import type { PolicyConfig } from '../../runtime/contract.ts';
import { policy } from '../support/pods.ts';
import { anyText, mutated } from './texts.ts';

/** Namespaces of the fuzzing; `bank` may have no long certificates, `com` is a top-level domain as well. */
export const NAMESPACES = ['shop', 'bank', 'plain', 'com'] as const;

/** What the policy allows besides a namespace's own names. */
export const FUZZ_POLICY: PolicyConfig = policy({
  maxDuration: '48h',
  excludedNamespaces: ['kube-system', 'step'],
  namespaces: {
    shop: {
      allowedNames: [
        '*.shop.example.com',
        '**.deep.example.com',
        'cart.*.example.net',
        'a.**.example.org',
        '10.1.0.0/16',
        'fd00::/64',
        'spiffe://example.com/shop/*',
        'spiffe://example.com/all/**',
        'spiffe://example.com/one',
        'urn:shop:cart',
      ],
      serviceAccounts: { payments: { allowedNames: ['pay.shop.svc', '*.pay.shop.example.com'] } },
    },
    bank: { maxDuration: '12h', allowedNames: ['*.example.com'] },
  },
});

const LABELS = [
  'web',
  'cart',
  'pay',
  'a',
  'x-1',
  '*',
  '**',
  'shop',
  'bank',
  'svc',
  'pod',
  'ca',
  'autocert',
  'kubernetes',
];
/** Stands for the namespace of the pod that asks. */
export const OWN = '{own}';
const ENDS = [
  ...[OWN, `${OWN}.svc`, `${OWN}.svc.cluster.local`, `${OWN}.pod.cluster.local`],
  ...NAMESPACES.flatMap((name) => [`${name}.svc`, `${name}.svc.cluster.local`, `${name}.pod.cluster.local`, name]),
  ...['step.svc', 'step', 'kube-system.svc', 'default.svc', 'default', 'svc', 'cluster.local', 'svc.cluster.local'],
  ...['shop.example.com', 'deep.example.com', 'shop.example.net', 'b.example.org', 'example.com', 'google.com'],
];
const label = fc.oneof(
  { arbitrary: fc.constantFrom(...LABELS), weight: 6 },
  { arbitrary: fc.stringMatching(/^[a-z0-9-]{1,64}$/), weight: 1 },
);
const host = fc
  .tuple(fc.array(label, { minLength: 1, maxLength: 3 }), fc.constantFrom(...ENDS))
  .map(([labels, end]) => [...labels, end].join('.'));
/** What most pods ask for. */
const own = fc
  .tuple(fc.stringMatching(/^[a-z]([a-z0-9-]{0,10}[a-z0-9])?$/), fc.constantFrom('', '.svc', '.svc.cluster.local'))
  .map(([service, end]) => `${service}.${OWN}${end}`);
const long = fc
  .tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 64 }), fc.constantFrom(...ENDS))
  .map(([count, length, end]) => [...Array.from({ length: count }, () => 'l'.repeat(length)), end].join('.'));
const ADDRESSES = [
  ...['10.1.2.3', '10.2.0.1', '010.1.2.3', '10.1.2', '127.1', '0x7f.1', '10.1.2.3.', '10.1.2.256', '167772161'],
  ...['fd00::1', 'FD00::1', 'fd00:0::1', '::ffff:10.1.2.3', '::1', 'fd00::1%eth0', '[fd00::1]', 'fd00::1/64'],
];
const URIS = [
  ...['spiffe://example.com/shop/web', 'spiffe://example.com/all/a/b', 'spiffe://example.com/one', 'urn:shop:cart'],
  ...['spiffe://example.com/shop/../one', 'spiffe://example.com/shop/', 'spiffe://user@example.com/one'],
  ...['SPIFFE://example.com/one', 'https://example.com:443/one', 'spiffe://example.com/one?x', 'urn:SHOP:cart'],
];
const RESERVED = [
  'ca.step.svc',
  'autocert.step.svc',
  'kubernetes.default.svc',
  'kubernetes',
  'localhost',
  '198.19.0.1',
];

/** One name. */
export const name: Arbitrary<string> = fc.oneof(
  { arbitrary: own, weight: 16 },
  { arbitrary: mutated(host), weight: 8 },
  { arbitrary: long, weight: 1 },
  { arbitrary: mutated(fc.constantFrom(...ADDRESSES)), weight: 1 },
  { arbitrary: mutated(fc.constantFrom(...URIS)), weight: 1 },
  { arbitrary: mutated(fc.constantFrom(...RESERVED)), weight: 1 },
  { arbitrary: anyText, weight: 1 },
);

/** The value of `sans`. */
export const names: Arbitrary<string> = fc.oneof(
  { arbitrary: fc.array(name, { maxLength: 4 }).map((list) => list.join(',')), weight: 8 },
  { arbitrary: fc.array(name, { minLength: 1, maxLength: 3 }).map((list) => list.join(' , ')), weight: 1 },
  {
    arbitrary: fc.tuple(host, fc.integer({ min: 2, max: 300 })).map(([one, n]) => Array(n).fill(one).join(',')),
    weight: 1,
  },
  {
    arbitrary: fc
      .tuple(fc.constantFrom(...ENDS), fc.integer({ min: 2, max: 300 }))
      .map(([end, n]) => Array.from({ length: n }, (_, index) => `n${index}.${end}`).join(',')),
    weight: 1,
  },
);

/**
 * Who asks for which name, and whether it is his: a policy with everything in it, and every spelling of theft that we
 * know of. `till` is a namespace like any; `shop`, `com`, `local`, `svc` and `de` have the names of top-level domains.
 * @module
 */
import type { PolicyConfig } from '../../runtime/contract.ts';
import type { Asked } from './cel.ts';
import { policy } from './pods.ts';

/** Autocert is in `step`, the CA has the host `ca.example.com`, the API server `api.example.com` and 10.96.0.1. */
export const THEFT_POLICY: PolicyConfig = policy({
  reservedNames: ['ca.example.com', '*.api.example.com', 'api.example.com', '10.96.0.1', 'fd00:96::/112'],
  namespaces: {
    till: {
      allowedNames: [
        ...['*.example.com', '**.deep.example.com', 'a.*.example.org', 'pay.bank.svc', '*.lend.svc.cluster.local'],
        ...['10.0.0.0/8', 'fd00::/8', 'spiffe://example.com/till/*', 'spiffe://example.com/all/**', 'urn:till:cart'],
        ...['https://ca.step.svc/acme', '**.step.svc', 'kubernetes.default.svc'],
      ],
      serviceAccounts: {
        pay: {
          allowedNames: ['pay.till.svc', 'pay.till.svc.cluster.local', 'pay.till', 'pay.example.com', '10.3.0.7'],
        },
        web: { allowedNames: ['*.web.example.com', 'ca.step.svc', 'www.example.net', 'spiffe://example.com/till/web'] },
        lazy: { allowedNames: [] },
      },
    },
    com: { allowedNames: ['shop.com'] },
  },
});

/** Who asks, and whether the name is his. */
export interface AskedName extends Asked {
  readonly allowed: boolean;
}

const rows = (allowed: boolean, namespace: string, names: readonly string[], serviceAccount?: string): AskedName[] =>
  names.map((name) => ({ allowed, namespace, name, ...(serviceAccount !== undefined && { serviceAccount }) }));
const his = (namespace: string, names: readonly string[], account?: string) => rows(true, namespace, names, account);
const nobodys = (namespace: string, names: readonly string[], account?: string) =>
  rows(false, namespace, names, account);

const LONG = 'a'.repeat(63);

/** The names; in every one of them webhook, certificate endpoint, signer and admission policy have to agree. */
export const ASKED: readonly AskedName[] = [
  ...his('till', [
    'a.till.svc',
    'a.b.till.svc',
    '*.a.till.svc',
    'a.till.svc.cluster.local',
    '1-2-3-4.till.pod.cluster.local',
  ]),
  ...his('till', ['a.till', 'www.example.com', 'a.b.deep.example.com', '*.deep.example.com', 'a.b.example.org']),
  ...his('till', [
    '10.1.2.3',
    'fd00::1',
    'spiffe://example.com/till/x',
    'spiffe://example.com/all/a/b',
    'urn:till:cart',
  ]),
  // What names another namespace in full is a grant.
  ...his('till', ['pay.bank.svc', 'a.lend.svc.cluster.local', '*.lend.svc.cluster.local']),
  ...nobodys('till', [
    'pay.bank.svc.cluster.local',
    'pay.bank',
    'x.bank.svc',
    '*.bank.svc',
    'a.lend.svc',
    'a.b.lend.svc',
  ]),

  // The CA, Autocert, their namespace, the API server: in each spelling, and as what a wildcard name stands for.
  ...nobodys('till', ['ca.step.svc', 'autocert.step.svc', 'x.step.svc', 'a.b.step.svc', '*.step.svc', '*.a.step.svc']),
  ...nobodys('till', ['ca.step', 'autocert.step', '*.step', 'a.b.step', 'ca.step.svc.cluster.local']),
  ...nobodys('till', ['*.step.svc.cluster.local', '1-2-3-4.step.pod.cluster.local', '*.step.pod.cluster.local']),
  ...nobodys('till', ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc', '*.default.svc', '*.default']),
  ...nobodys('till', ['kubernetes.default.svc.cluster.local', '*.default.svc.cluster.local']),
  ...nobodys('till', ['ca.example.com', '*.example.com', 'api.example.com', 'a.api.example.com', '*.api.example.com']),
  ...nobodys('till', ['10.96.0.1', 'fd00:96::1', 'FD00:0096:0::0001', 'fd00:96:0:0:0:0:0:ffff']),
  ...nobodys('till', ['https://ca.step.svc/acme']),
  ...nobodys('till', ['ca.step.svc'], 'web'),
  ...nobodys('default', ['kubernetes.default.svc', '*.default.svc', 'kubernetes.default', '*.default']),
  ...nobodys('default', ['kubernetes.default.svc.cluster.local', '*.default.svc.cluster.local']),
  ...his('default', ['a.default.svc', 'a.kubernetes.default.svc', 'kubernetes-2.default.svc', 'a.default']),

  // Spellings.
  ...nobodys('till', ['CA.step.svc', 'Ca.Step.Svc', 'ca.step.svc.', 'ca.step.svc..', '.ca.step.svc', 'ca..step.svc']),
  ...nobodys('till', [
    'ca\u3002step\u3002svc',
    'ca\uff0estep.svc',
    'c\u0430.step.svc',
    'ca.step.s\u2800vc',
    'ca.step.svc\u200b',
  ]),
  ...nobodys('till', [
    'xn--ca-.step.svc',
    'ca.step.svc:443',
    'ca.step.svc/',
    ' ca.step.svc',
    'ca.step.svc\n',
    'ca.step.svc\0',
  ]),
  ...nobodys('till', [
    'ca%2estep.svc',
    'ca.step.svc#a.till.svc',
    'a.till.svc,ca.step.svc',
    'a.till.svc ca.step.svc',
    'x@ca.step.svc',
  ]),
  ...nobodys('till', ['dns:ca.step.svc', 'https://ca.step.svc', 'https://ca.step.svc:443/', 'spiffe://ca.step.svc/x']),
  ...nobodys('till', [
    '*',
    '*.*',
    '**.till.svc',
    '*a.till.svc',
    'a.*.till.svc',
    '*.svc',
    '*.cluster.local',
    '*.svc.cluster.local',
  ]),
  ...nobodys('till', [
    '*.local',
    '*.com',
    'till.svc',
    'till.svc.cluster.local',
    'till',
    'svc',
    'cluster.local',
    'localhost',
  ]),
  ...nobodys('till', ['A.till.svc', 'a.till.svc.', 'a_b.till.svc', '-a.till.svc', 'a-.till.svc', `${LONG}a.till.svc`]),
  ...nobodys('till', [
    `${LONG}.${LONG}.${LONG}.${LONG}.till.svc`,
    'xtill.svc',
    'a.xtill.svc',
    'axtill.svc',
    'a.till.svcx',
  ]),
  ...nobodys('till', [
    'a.till.svc.evil.example',
    'a.till.svc.cluster.local.',
    'a.till.svc.cluster.localx',
    'a.till.pod',
  ]),
  ...nobodys('till', [
    '::ffff:10.1.2.3',
    '::ffff:0a60:0001',
    '10.1.2.3/8',
    '010.1.2.3',
    '10.1',
    '0x0a.1.2.3',
    '167837955',
  ]),
  ...nobodys('till', ['fd00::1%eth0', '[fd00::1]', '127.0.0.1', '::1', '8.8.8.8']),
  ...nobodys('till', [
    'spiffe://example.com/till/../x',
    'spiffe://example.com/all/../x',
    'spiffe://example.com/all/./x',
  ]),
  ...nobodys('till', ['spiffe://example.com/till/x/y', 'spiffe://example.com/till/', 'spiffe://x@example.com/till/x']),
  ...nobodys('till', ['spiffe://EXAMPLE.com/till/x', 'spiffe://example.com/till/%2e%2e', 'urn:till:carts']),

  // Namespaces that are called like a top-level domain, and like a word of cluster DNS.
  ...nobodys('com', ['google.com', '*.com', 'com', 'a.b.com']),
  ...his('com', ['shop.com', 'a.com.svc', 'a.com.svc.cluster.local']),
  ...nobodys('de', ['bank.de', '*.de']),
  ...nobodys('shop', ['pay.shop', '*.shop']),
  ...nobodys('xn--p1ai', ['bank.xn--p1ai']),
  ...nobodys('local', ['cluster.local', '*.local', 'printer.local']),
  ...nobodys('internal', ['ca.internal', '*.internal']),
  ...['localhost', 'test', 'example', 'invalid', 'onion', 'arpa', 'lan', 'home', 'corp', 'cluster'].flatMap(
    (namespace) => nobodys(namespace, [`a.${namespace}`, `*.${namespace}`]),
  ),
  ...nobodys('svc', [
    'till.svc',
    '*.svc',
    'x.svc',
    'pay.bank.svc',
    'x.till.svc',
    'svc.cluster.local',
    '*.svc.cluster.local',
  ]),
  ...his('svc', ['a.svc.svc', 'a.svc.svc.cluster.local']),
  ...nobodys('pod', ['till.pod', '*.pod', '*.pod.cluster.local', '1-2-3-4.till.pod.cluster.local']),
  ...his('pod', ['a.pod.svc', '1-2-3-4.pod.pod.cluster.local']),
  ...nobodys('cluster', ['x.cluster.local', '*.cluster.local', 'a.cluster']),
  ...nobodys('constructor', ['www.example.com', 'pay.bank.svc']),

  // Names of one service account.
  ...his('till', ['pay.till.svc', 'pay.till.svc.cluster.local', 'pay.till', 'pay.example.com', '10.3.0.7'], 'pay'),
  ...his('till', ['a.till.svc', 'www.example.com', 'x.pay.till.svc'], 'pay'),
  ...his('till', ['a.web.example.com', '*.web.example.com', 'www.example.net', 'spiffe://example.com/till/web'], 'web'),
  ...['web', 'default', 'lazy', 'constructor', 'PAY'].flatMap((account) =>
    nobodys('till', ['pay.till.svc', 'pay.till.svc.cluster.local', 'pay.till', 'pay.example.com', '10.3.0.7'], account),
  ),
  // A wildcard name would be good for it as well.
  ...nobodys('till', ['*.till.svc', '*.till', '*.till.svc.cluster.local'], 'web'),
  ...nobodys('till', ['*.till.svc', '*.till', '*.till.svc.cluster.local'], 'pay'),
  ...nobodys(
    'till',
    ['a.web.example.com', '*.web.example.com', 'www.example.net', 'spiffe://example.com/till/web'],
    'pay',
  ),
  ...nobodys('bank', ['www.example.net', 'pay.example.com', 'pay.till.svc'], 'pay'),
  ...nobodys('bank', ['www.example.net'], 'web'),
];

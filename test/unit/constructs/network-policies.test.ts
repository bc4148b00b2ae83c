import {
  AutocertMonitoring,
  type AutocertMonitoringProps,
  AutocertWebhook,
  CaDatabase,
  Injector,
  type NetworkProps,
  StepCa,
  type StepCaProps,
} from '../../../constructs/index.ts';
import { createPki } from '../../../runtime/pki/pki.ts';
import { listed, type Manifest, synth } from '../../support/manifests.ts';
import { type Party, reaches } from '../../support/network.ts';

const { rootPem } = await createPki('Elsewhere');

const made = (props: StepCaProps = {}) =>
  synth((chart) => new AutocertWebhook(chart, 'autocert', { ca: new StepCa(chart, 'ca', props) }));
const elsewhere = (url: string, props: NetworkProps = {}) =>
  synth((chart) => {
    const ca = StepCa.fromUrl(chart, 'ca', { url, rootCertificate: rootPem, ...props });
    new AutocertWebhook(chart, 'autocert', { ca });
  });
const policies = (manifests: readonly Manifest[]) => manifests.filter(({ kind }) => kind === 'NetworkPolicy');
const pod = (namespace: string, app: string): Party => ({ namespace, labels: { app } });
const named = (name: string) => ({ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': name } } });

const [ca, webhook, signer] = [pod('step', 'ca'), pod('step', 'autocert'), pod('step', 'autocert-signer')];
const jobs = [pod('step', 'autocert-init'), pod('step', 'autocert-pki')];
const tenant = pod('shop', 'shop');
const prometheus = pod('monitoring', 'prometheus');
const outside: Party = { address: '203.0.113.9' };
const apiServer: Party = { address: '192.0.2.10' };
const dns = pod('kube-system', 'dns');
const METRICS = [
  [ca, 9403],
  [ca, 9404],
  [webhook, 9402],
  [signer, 9402],
] as const;

describe('the network of the system namespace', () => {
  const manifests = made();
  const open = (from: Party, to: Party, port: number) => reaches(manifests, from, to, port);

  test('is closed by default for every pod of ours, in both directions', () => {
    const pods = manifests.flatMap(({ spec }) => (spec?.template ?? spec?.jobTemplate?.spec.template)?.metadata ?? []);
    expect(pods.length).toBe(5);
    for (const { labels } of pods) {
      expect(open(tenant, { namespace: 'step', labels }, 1234)).toBe(false);
      expect(open({ namespace: 'step', labels }, tenant, 1234)).toBe(false);
    }
  });

  test('has no rule with an empty list of peers, which would stand for everybody', () => {
    for (const { spec } of policies(made({ allowFrom: [], metricsFrom: [], allowTo: [] }))) {
      for (const rule of [...(spec.ingress ?? []), ...(spec.egress ?? [])])
        expect([rule.from, rule.to]).not.toContainEqual([]);
    }
  });

  test('is left alone for pods that are not ours', () => {
    expect(open(pod('step', 'debug'), outside, 443)).toBe(true);
    expect(open(tenant, pod('step', 'debug'), 80)).toBe(true);
  });

  test('can be left open altogether', () => {
    expect(policies(made({ networkPolicies: false }))).toEqual([]);
    expect(policies(elsewhere('https://ca.example.com', { networkPolicies: false }))).toEqual([]);
  });

  test('lets webhook and signer alone reach the CA, and not the likes of them in other namespaces', () => {
    for (const from of [webhook, signer]) expect(open(from, ca, 4443)).toBe(true);
    const others = [tenant, pod('shop', 'autocert'), pod('step', 'debug'), outside, ...jobs];
    for (const from of others) expect(open(from, ca, 4443)).toBe(false);
  });

  test('lets the API server reach admission, and every pod the certificate endpoint, also one on the network of its node', () => {
    expect(open(apiServer, webhook, 4443)).toBe(true);
    for (const from of [tenant, apiServer]) expect(open(from, webhook, 4444)).toBe(true);
    expect(open(tenant, signer, 4444)).toBe(false);
  });

  test('lets webhook, signer and Jobs reach the API server and DNS, wherever those are', () => {
    for (const from of [webhook, signer, ...jobs]) {
      for (const port of [443, 6443]) expect(open(from, apiServer, port)).toBe(true);
      expect(open(from, dns, 53)).toBe(true);
      expect(reaches(manifests, from, dns, 53, 'UDP')).toBe(true);
    }
  });

  test('lets the CA reach nobody while its database is a file', () => {
    for (const to of [outside, apiServer, dns, tenant, webhook, pod('step', 'db')]) {
      for (const port of [53, 443, 5432, 6443]) expect(open(ca, to, port)).toBe(false);
    }
  });

  test.each(METRICS)('lets nobody read metrics: %j, %i', (to, port) => {
    for (const from of [tenant, prometheus, outside, webhook]) expect(open(from, to, port)).toBe(false);
  });
});

describe('what opens the network', () => {
  test('is allowFrom, for the CA: pods of a namespace, blocks of addresses', () => {
    const manifests = made({
      allowFrom: [
        { ...named('shop'), podSelector: { matchLabels: { app: 'shop' } } },
        { ipBlock: { cidr: '203.0.113.0/24' } },
      ],
    });
    for (const from of [tenant, outside, webhook]) expect(reaches(manifests, from, ca, 4443)).toBe(true);
    expect(reaches(manifests, pod('shop', 'other'), ca, 4443)).toBe(false);
    expect(reaches(manifests, tenant, ca, 9403)).toBe(false);
  });

  test.each([
    ['mysql', 3306],
    ['postgresql', 5432],
  ] as const)('is a %s database, by its usual port, and DNS to find it', (type, port) => {
    const database = CaDatabase[type]({ dataSourceSecret: 'ca-database' });
    const manifests = made({ database });
    for (const to of [outside, pod('step', 'db')]) expect(reaches(manifests, ca, to, port)).toBe(true);
    expect(reaches(manifests, ca, dns, 53)).toBe(true);
    expect(reaches(manifests, ca, outside, 443)).toBe(false);
  });

  test('is allowTo, which takes the place of that port', () => {
    const database = CaDatabase.postgresql({ dataSourceSecret: 'ca-database' });
    const manifests = made({ database, allowTo: [{ ...named('databases'), ports: [6432] }] });
    expect(reaches(manifests, ca, pod('databases', 'pgbouncer'), 6432)).toBe(true);
    expect(reaches(manifests, ca, outside, 6432)).toBe(false);
    expect(reaches(manifests, ca, pod('databases', 'postgresql'), 5432)).toBe(false);
  });

  test.each(METRICS)('is metricsFrom, for all metrics: %j, %i', (to, port) => {
    const manifests = made({ metricsFrom: [named('monitoring')] });
    expect(reaches(manifests, prometheus, to, port)).toBe(true);
    expect(reaches(manifests, tenant, to, port)).toBe(false);
  });

  test('is less where the addresses of API server and nodes are given', () => {
    const manifests = made({ apiServer: { cidrs: ['192.0.2.10/32'], ports: [16443] }, nodes: ['192.0.2.0/24'] });
    expect(reaches(manifests, apiServer, webhook, 4443)).toBe(true);
    for (const from of [tenant, outside]) expect(reaches(manifests, from, webhook, 4443)).toBe(false);
    for (const from of [tenant, apiServer]) expect(reaches(manifests, from, webhook, 4444)).toBe(true);
    expect(reaches(manifests, outside, webhook, 4444)).toBe(false);
    expect(reaches(manifests, signer, apiServer, 16_443)).toBe(true);
    expect(reaches(manifests, signer, outside, 16_443)).toBe(false);
    expect(reaches(manifests, signer, apiServer, 443)).toBe(false);
  });

  test('is the port of a CA elsewhere', () => {
    const manifests = elsewhere('https://ca.example.com:9000');
    for (const from of [webhook, signer]) {
      expect(reaches(manifests, from, outside, 9000)).toBe(true);
      expect(reaches(manifests, from, outside, 9001)).toBe(false);
    }
  });

  test.each(['https://ca.pki.svc', 'https://ca.pki.svc.cluster.local'])(
    'is the namespace of a CA that is a Service, %s, whose pods may listen on any port',
    (url) => {
      const manifests = elsewhere(url);
      expect(reaches(manifests, webhook, pod('pki', 'anything'), 9000)).toBe(true);
      expect(reaches(manifests, webhook, tenant, 9000)).toBe(false);
    },
  );

  test('is nothing for a webhook that there is none of', () => {
    const injector = Injector.policy();
    const manifests = synth((chart) => new AutocertWebhook(chart, 'a', { ca: new StepCa(chart, 'ca'), injector }));
    expect([...listed(policies(manifests))].sort()).toEqual([
      'NetworkPolicy/autocert-init',
      'NetworkPolicy/autocert-signer',
      'NetworkPolicy/ca',
    ]);
  });
});

describe('AutocertMonitoring', () => {
  const watched = (props: Partial<AutocertMonitoringProps>, caProps: StepCaProps = {}) =>
    synth((chart) => {
      const watching = new AutocertWebhook(chart, 'autocert', { ca: new StepCa(chart, 'ca', caProps) });
      new AutocertMonitoring(chart, 'monitoring', { webhook: watching, ...props });
    });

  test.each(METRICS)('opens all metrics to whom it names, and nothing else: %j, %i', (to, port) => {
    const manifests = watched({ metricsFrom: [named('monitoring')] });
    expect(reaches(manifests, prometheus, to, port)).toBe(true);
    expect(reaches(manifests, tenant, to, port)).toBe(false);
    expect(reaches(manifests, prometheus, ca, 4443)).toBe(false);
  });

  test('does not scrape what nobody may read', () => {
    expect(() => watched({})).toThrow(/^metricsFrom: .*name your Prometheus/);
    for (const fine of [() => watched({ podMonitors: false }), () => watched({ metricsFrom: [] })]) fine();
    watched({}, { metricsFrom: [named('monitoring')] });
  });

  test('closes nothing where there are no NetworkPolicies', () => {
    expect(policies(watched({ metricsFrom: [named('monitoring')] }, { networkPolicies: false }))).toEqual([]);
  });
});

describe('a peer', () => {
  test.each([
    [{}, 'allowFrom[0]: got {}'],
    ['10.0.0.0/8', 'allowFrom[0]: got "10.0.0.0/8"'],
    [{ podSelecter: {} }, 'knows no "podSelecter"'],
    [{ podSelector: { matchLabel: { app: 'x' } } }, 'allowFrom[0].podSelector: got'],
    [{ podSelector: { matchLabels: { app: '-' } } }, 'allowFrom[0].podSelector.matchLabels.app: got "-"'],
    [{ podSelector: {}, ipBlock: { cidr: '192.0.2.0/24' } }, 'allowFrom[0]: got'],
    [{ ipBlock: { cidr: '192.0.2.0' } }, 'allowFrom[0].ipBlock.cidr: got "192.0.2.0"'],
    [{ ipBlock: { cidr: '192.0.2.0/33' } }, 'allowFrom[0].ipBlock.cidr: got'],
    [{ ipBlock: { cidr: '192.0.2.0/24', except: ['x'] } }, 'allowFrom[0].ipBlock.except[0]: got "x"'],
    [{ namespaceSelector: { matchExpressions: [{ key: 'a', operator: 'Is' }] } }, '[0].operator: got "Is"'],
    [{ namespaceSelector: { matchExpressions: [{ key: 'a', operator: 'In' }] } }, '[0].values: got undefined'],
    [{ namespaceSelector: { matchExpressions: [{ key: 'a', operator: 'In', values: [] }] } }, 'at least one'],
    [{ namespaceSelector: { matchExpressions: [{ key: 'a', operator: 'Exists', values: ['b'] }] } }, 'takes none'],
  ])('that is none is refused: %j', (given, message) => {
    expect(() => made({ allowFrom: [given as object] })).toThrow(message);
  });

  test.each([
    [{ allowTo: [{ podSelector: {} }] }, 'allowTo[0].ports: got undefined'],
    [{ allowTo: [{ podSelector: {}, ports: [0] }] }, 'allowTo[0].ports[0]: got 0'],
    [{ metricsFrom: {} }, 'metricsFrom: got {}'],
    [{ networkPolicies: 'no' }, 'networkPolicies: got "no"'],
    [{ apiServer: { cidrs: [] } }, 'apiServer.cidrs: got []'],
    [{ apiServer: { cidr: '192.0.2.10/32' } }, 'apiServer: got'],
    [{ nodes: ['node1'] }, 'nodes[0]: got "node1"'],
  ])('in another prop is refused as well: %j', (props, message) => {
    expect(() => made(props as unknown as StepCaProps)).toThrow(message);
  });
});

/** What step-ca signs for the provisioner `autocert`, as it is synthesized; `test/interop/ca-names.test.ts` asks step-ca. */
import {
  AutocertNamespace,
  AutocertWebhook,
  Injector,
  Pki,
  StepCa,
  type StepCaProps,
} from '../../../constructs/index.ts';
import { CaConfigFile } from '../../../runtime/contract.ts';
import { configOf, find, synth } from '../../support/manifests.ts';

const rulesOf = (props: StepCaProps, injector = Injector.webhook()) => {
  const manifests = synth((chart) => {
    const ca = new StepCa(chart, 'ca', props);
    const webhook = new AutocertWebhook(chart, 'autocert', { ca, injector });
    new AutocertNamespace(chart, 'shop', { webhook, name: 'shop', allowedNames: ['*.shop.example.com'] });
  });
  return configOf(manifests, CaConfigFile.configMap, CaConfigFile.names);
};

describe("the names that the provisioner 'autocert' signs", () => {
  test('have those of namespaces that are added after the CA was made', () => {
    expect(rulesOf({}).patterns).toBe(' *.shop.example.com ');
  });

  test("have Autocert's own, where there is a webhook", () => {
    expect(rulesOf({}).own).toEqual(['autocert.step.svc', 'autocert.step.svc.cluster.local', 'autocert.step']);
    expect(rulesOf({}, Injector.policy()).own).toEqual([]);
  });

  test('never have the hosts of the CA, whatever allowedNames says', () => {
    const { neverDns, neverIp } = rulesOf({ dnsNames: ['ca.example.com', '10.0.0.1'], namespace: 'pki' });
    const never = (name: string) => new RegExp(neverDns[0]).test(name);
    for (const name of ['ca.example.com', '*.example.com', 'ca.pki.svc', 'any.thing.pki.svc', '*.default.svc']) {
      expect([name, never(name)]).toEqual([name, true]);
    }
    expect([never('shop.example.com'), never('web.step.svc')]).toEqual([false, false]);
    expect(neverIp).toEqual(['^0a000001[0-9a-f]{0}$']);
  });

  test('are what autocertNames has besides', () => {
    const { patterns, dns } = rulesOf({ autocertNames: ['a.test', 'b.*.test'] });
    expect([patterns, dns]).toEqual([' *.shop.example.com a.test ', ['^(b\\.[^.]+\\.test)$']]);
    expect(() => rulesOf({ autocertNames: ['**'] })).toThrow('autocertNames[0]: got "**", but it allows every name');
  });

  test('are all, where a prop says so or no webhook is known', () => {
    expect(rulesOf({ autocertNames: 'any' })).toBeNull();
    const alone = synth((chart) => new StepCa(chart, 'ca'));
    expect(configOf(alone, CaConfigFile.configMap, CaConfigFile.names)).toBeNull();
  });
});

describe('name constraints', () => {
  const permitted = ['shop.example.com', '10.0.0.0/8'];
  const commandOf = (pki: Pki) =>
    find(
      synth((chart) => new StepCa(chart, 'ca', { pki })),
      'Job',
    ).spec.template.spec.containers[0].command.slice(-2);

  test('are told to the Job: names of the cluster, hosts of CA and Autocert, and what is given', () => {
    expect(commandOf(Pki.inCluster({ nameConstraints: { permitted } }))).toEqual([
      '--permit',
      'svc,cluster.local,ca.step,localhost,127.0.0.1,autocert.step,shop.example.com,10.0.0.0/8',
    ]);
    expect(commandOf(Pki.inCluster({ nameConstraints: false }))).toEqual(['--permit', 'any']);
    expect(commandOf(Pki.inCluster())).toEqual(['--ca-name', 'Autocert']);
  });

  test('leave out names of two labels, which they cannot permit', () => {
    expect(rulesOf({ pki: Pki.inCluster({ nameConstraints: { permitted } }) }).shortDns).toEqual([]);
  });

  test.each([['other.example.com'], ['11.0.0.0/16'], ['spiffe://example.org/x'], ['urn:x:y']])(
    'refuse allowedNames that they do not permit at synth: %s',
    (pattern) => {
      const build = (allowed: string) => () =>
        synth((chart) => {
          const ca = new StepCa(chart, 'ca', { pki: Pki.inCluster({ nameConstraints: { permitted } }) });
          const webhook = new AutocertWebhook(chart, 'autocert', { ca });
          new AutocertNamespace(chart, 'a', { webhook, name: 'a', allowedNames: [allowed, '*.shop.example.com'] });
        });
      expect(build(pattern)).toThrow(
        `allowedNames of namespace "a": got "${pattern}", but the intermediate's name constraints permit none of it: ` +
          'add its domain or block to Pki.inCluster({ nameConstraints: { permitted: […] } })',
      );
      expect(build('10.1.0.0/16')).not.toThrow();
    },
  );

  test.each([['*.example.com'], ['spiffe://a.test/x'], ['']])('take domains, addresses and blocks: not %j', (name) => {
    expect(() => Pki.inCluster({ nameConstraints: { permitted: [name] } })).toThrow(
      `nameConstraints.permitted[0]: got "${name}", but it takes a DNS domain`,
    );
  });
});

test("step-ca's memory is collected before its container's limit", () => {
  const [stepCa] = find(
    synth((chart) => new StepCa(chart, 'ca')),
    'StatefulSet',
  ).spec.template.spec.containers;
  expect(stepCa.env).toContainEqual({ name: 'GOMEMLIMIT', value: '419430KiB' });
});

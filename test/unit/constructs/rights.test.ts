import { AutocertWebhook, Injector, Pki, StepCa } from '../../../constructs/index.ts';
import { ACCOUNT_RIGHTS, rightsIn } from '../../support/account-rights.ts';
import { find, listed, type Manifest, podSpecs, synth } from '../../support/manifests.ts';

const made = (props: { guard?: boolean; upkeep?: boolean } = {}) =>
  synth((chart) => {
    const { guard = true, upkeep = true } = props;
    new AutocertWebhook(chart, 'autocert', {
      ca: new StepCa(chart, 'ca', { guard, pki: Pki.inCluster({ upkeep }) }),
      guard,
    });
  });
const manifests = made();

/** The rules that a binding of this kind gives an account. */
function rulesOf(account: string, kind: 'Role' | 'ClusterRole'): readonly string[] {
  const roles = manifests
    .filter((one) => one.kind === `${kind}Binding`)
    .filter(({ subjects }) => JSON.stringify(subjects).includes(`"name":"${account}"`))
    .map(({ roleRef }) => find(manifests, kind, (roleRef as { name: string }).name));
  return rightsIn(roles.flatMap(({ rules = [] }) => rules));
}

const mountsToken = (spec: { volumes?: object[] }) => JSON.stringify(spec.volumes).includes('"serviceAccountToken"');

describe('the accounts', () => {
  test('are those of the list', () => {
    const accounts = manifests.filter(({ kind }) => kind === 'ServiceAccount').map(({ metadata }) => metadata.name);
    expect(accounts.sort()).toEqual(Object.keys(ACCOUNT_RIGHTS).sort());
  });

  test.each(Object.entries(ACCOUNT_RIGHTS))('%s may do what the list says, and no more', (account, rights) => {
    expect(rulesOf(account, 'ClusterRole')).toEqual([...rights.everywhere].sort());
    expect(rulesOf(account, 'Role')).toEqual([...rights.inNamespace].sort());
  });

  test('of the Job may read no key and no password, nor change what is there', () => {
    const { inNamespace } = ACCOUNT_RIGHTS['autocert-init'] as { inNamespace: readonly string[] };
    expect(inNamespace.filter((right) => !/^create |\/ca-draft$/.test(right))).toEqual(['get configmaps/ca-certs']);
  });

  test('give their tokens to no pod unasked, and only to pods that ask the API server: not to the CA', () => {
    for (const account of manifests.filter(({ kind }) => kind === 'ServiceAccount')) {
      expect(account).toMatchObject({ automountServiceAccountToken: false });
    }
    const mounting = [...podSpecs(manifests)].filter(([, spec]) => mountsToken(spec)).map(([name]) => name);
    expect(mounting.map((name) => name.replace(/-[0-9a-f]{10}$/, '')).sort()).toEqual([
      'CronJob/autocert-pki',
      'Deployment/autocert',
      'Deployment/autocert-signer',
      'Job/autocert-init',
    ]);
    for (const spec of podSpecs(manifests).values()) expect(spec.automountServiceAccountToken).toBe(false);
  });

  test('have tokens for an hour, those of Jobs for ten minutes, where programs look for them', () => {
    const lifetimes = [...podSpecs(manifests)].map(([name, { volumes, containers }]) => {
      const volume = volumes.find((one: { name: string }) => one.name === 'api-access');
      if (volume === undefined) return [name.split('/')[0], undefined];
      expect(containers[0].volumeMounts).toContainEqual({
        name: 'api-access',
        mountPath: '/var/run/secrets/kubernetes.io/serviceaccount',
        readOnly: true,
      });
      return [name.split('/')[0], volume.projected.sources[0].serviceAccountToken.expirationSeconds];
    });
    expect(Object.fromEntries(lifetimes)).toEqual({ StatefulSet: undefined, Deployment: 3600, Job: 600, CronJob: 600 });
  });

  test('of the PKI are one without upkeep, and nothing of it may read a key', () => {
    const without = made({ upkeep: false });
    expect(listed(without).filter((name) => name.endsWith('/autocert-pki'))).toEqual([]);
    const named = without.flatMap(({ rules = [] }) => rules.flatMap(({ resourceNames = [] }) => resourceNames));
    expect(named.filter((name) => /key|password|provisioners/.test(name))).toEqual([]);
    expect(() => Pki.inCluster({ upkeep: 'no' as never })).toThrow(/^upkeep: got "no"/);
  });
});

// That these policies refuse what they shall, and nothing else, is shown on a real API server, by test/e2e.
describe('the policies', () => {
  const policy = (name: string): Manifest['spec'] => find(manifests, 'ValidatingAdmissionPolicy', name).spec;

  test('keep the annotations of pods in all namespaces, also against nodes and Bindings', () => {
    const { matchConstraints, failurePolicy } = policy('autocert-annotations');
    expect(failurePolicy).toBe('Fail');
    expect(matchConstraints).toMatchObject({ namespaceSelector: {}, objectSelector: {} });
    expect(
      matchConstraints.resourceRules.map(({ operations, resources }: { operations: string[]; resources: string[] }) => [
        operations,
        resources,
      ]),
    ).toEqual([
      [['UPDATE'], ['pods', 'pods/*']],
      [['CREATE'], ['bindings', 'pods/binding']],
    ]);
  });

  test.each([
    ['autocert-signer', ['system:serviceaccount:step:autocert-signer']],
    ['autocert-init-step', ['system:serviceaccount:step:autocert-init', 'system:serviceaccount:step:autocert-pki']],
  ])('%s is about our accounts only: people are not hindered', (name, accounts) => {
    const conditions = policy(name).matchConditions;
    expect(conditions).toHaveLength(1);
    expect(conditions[0].expression).toBe(
      `request.userInfo.username in ${JSON.stringify(accounts).replaceAll(',', ', ')}`,
    );
  });

  test('write out what the API server would add, so that whoever applies them server-side meets no conflict', () => {
    for (const { kind, spec } of manifests) {
      if (kind !== 'ValidatingAdmissionPolicy') continue;
      expect(spec.matchConstraints).toMatchObject({ matchPolicy: 'Equivalent', objectSelector: {} });
      for (const rule of spec.matchConstraints.resourceRules) expect(rule.scope).toBe('*');
    }
  });

  test('are not there where the cluster has none', () => {
    const names = listed(made({ guard: false })).filter((name) => name.startsWith('ValidatingAdmissionPolicy/'));
    expect(names).toEqual(['ValidatingAdmissionPolicy/autocert-pki-step', 'ValidatingAdmissionPolicy/autocert']);
  });

  test('guard without a webhook, too', () => {
    const all = synth((chart) => {
      new AutocertWebhook(chart, 'autocert', { ca: new StepCa(chart, 'ca'), injector: Injector.policy() });
    });
    expect(listed(all)).toContain('ValidatingAdmissionPolicy/autocert-annotations');
  });
});

describe('userFromPlatform', () => {
  const assigned = synth((chart) => {
    const ca = new StepCa(chart, 'ca', { userFromPlatform: true });
    new AutocertWebhook(chart, 'autocert', { ca, userFromPlatform: true });
  });

  test('leaves user and groups to the platform, in every pod, and says that it must not be root', () => {
    expect(podSpecs(assigned).size).toBe(5);
    for (const spec of podSpecs(assigned).values()) {
      expect(JSON.stringify(spec)).not.toMatch(/runAsUser|runAsGroup|"fsGroup"/);
      expect(spec.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
    }
  });

  test('is told to the webhook, whose agents do the same', () => {
    const { data = {} } = find(assigned, 'ConfigMap', 'autocert-config');
    expect(JSON.parse(data['config.json'] ?? '').agent).toMatchObject({ userFromPlatform: true });
    const usual = find(manifests, 'ConfigMap', 'autocert-config').data?.['config.json'] ?? '';
    expect(JSON.parse(usual).agent).not.toHaveProperty('userFromPlatform');
  });
});

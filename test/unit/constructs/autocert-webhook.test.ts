import { ApiObject, App, Chart, Duration, JsonPatch } from 'cdk8s';
import { AutocertWebhook, type AutocertWebhookProps, StepCa } from '../../../constructs/index.ts';
import packageJson from '../../../package.json' with { type: 'json' };
import { configOf, find, listed, type Manifest, podSpecs, restrictedFaults, synth } from '../../support/manifests.ts';

type Props = Omit<AutocertWebhookProps, 'ca'>;

/** The webhook's objects, without the CA's. */
function made(props: Props = {}): readonly Manifest[] {
  const app = new App();
  const ca = new StepCa(new Chart(app, 'ca'), 'ca');
  const chart = new Chart(app, 'autocert');
  new AutocertWebhook(chart, 'autocert', { ca, ...props });
  return chart.toJson();
}
const config = (manifests: readonly Manifest[]) => configOf(manifests, 'autocert-config', 'config.json');
const registration = (manifests: readonly Manifest[]) => find(manifests, 'MutatingWebhookConfiguration').webhooks[0];

describe('AutocertWebhook', () => {
  const manifests = made();

  test('renders the default webhook and signer', () => expect(made({ image: 'autocert:x' })).toMatchSnapshot());

  test('has the names and labels that the tutorial uses', () => {
    expect(find(manifests, 'Deployment', 'autocert').spec.template.metadata.labels).toEqual({ app: 'autocert' });
    expect(find(manifests, 'Service').spec).toMatchObject({
      selector: { app: 'autocert' },
      ports: [{ port: 443, targetPort: 4443 }],
    });
    expect(find(manifests, 'Service').metadata).toMatchObject({ name: 'autocert', namespace: 'step' });
  });

  test('gives a namespace to every object but those of the cluster', () => {
    const clusterScoped = [
      'ClusterRole',
      'ClusterRoleBinding',
      'MutatingWebhookConfiguration',
      'ValidatingAdmissionPolicy',
      'ValidatingAdmissionPolicyBinding',
    ];
    for (const { kind, metadata } of manifests) {
      expect(metadata.namespace).toBe(clusterScoped.includes(kind) ? undefined : 'step');
    }
  });

  test('labels every object as part of autocert', () => {
    for (const { metadata } of manifests)
      expect(metadata.labels).toMatchObject({ 'app.kubernetes.io/part-of': 'autocert' });
  });

  test('may review tokens and read pods and namespaces, and nothing else', () => {
    expect(find(manifests, 'ClusterRole', 'autocert').rules).toEqual([
      { apiGroups: ['authentication.k8s.io'], resources: ['tokenreviews'], verbs: ['create'] },
      { apiGroups: [''], resources: ['pods', 'namespaces'], verbs: ['get'] },
    ]);
  });

  test('gives its signer the right to answer for its own signer name, and nothing beyond what it does', () => {
    const certificates = ['certificates.k8s.io'];
    expect(find(manifests, 'ClusterRole', 'autocert-signer').rules).toEqual([
      { apiGroups: certificates, resources: ['podcertificaterequests'], verbs: ['list', 'watch'] },
      { apiGroups: certificates, resources: ['podcertificaterequests/status'], verbs: ['update'] },
      {
        apiGroups: certificates,
        resources: ['signers'],
        resourceNames: ['autocert.step.sm/workload'],
        verbs: ['sign', 'attest'],
      },
      {
        apiGroups: certificates,
        resources: ['clustertrustbundles'],
        resourceNames: ['autocert.step.sm:workload:root'],
        verbs: ['create', 'patch'],
      },
      { apiGroups: [''], resources: ['pods', 'namespaces'], verbs: ['get'] },
    ]);
    expect(find(manifests, 'Role', 'autocert-signer').rules).toEqual([
      { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['create'] },
      {
        apiGroups: ['coordination.k8s.io'],
        resources: ['leases'],
        resourceNames: ['autocert-signer'],
        verbs: ['get', 'update'],
      },
    ]);
  });

  test('binds each role to the ServiceAccount of its own name', () => {
    const bindings = manifests.filter(({ kind }) => kind.endsWith('RoleBinding'));
    expect(listed(bindings)).toEqual([
      'ClusterRoleBinding/autocert',
      'RoleBinding/autocert-signer',
      'ClusterRoleBinding/autocert-signer',
    ]);
    for (const { metadata, roleRef, subjects } of bindings) {
      expect(roleRef).toMatchObject({ name: metadata.name });
      expect(subjects).toEqual([{ kind: 'ServiceAccount', name: metadata.name, namespace: 'step' }]);
    }
  });

  test('has no rule with a wildcard, and none on Secrets', () => {
    for (const { rules = [] } of manifests) {
      expect(JSON.stringify(rules)).not.toContain('*');
      expect(JSON.stringify(rules)).not.toContain('secrets');
    }
  });

  test.each([...podSpecs(manifests)])('%s passes Pod Security restricted', (_name, spec) => {
    expect(restrictedFaults(spec)).toEqual([]);
  });

  test('runs the programs of the image with their configuration', () => {
    const command = (name: string) => find(manifests, 'Deployment', name).spec.template.spec.containers[0].command;
    const tail = ['--config', '/etc/autocert/config.json'];
    expect(command('autocert')).toEqual(['/usr/local/bin/autocert', 'webhook', ...tail]);
    expect(command('autocert-signer')).toEqual(['/usr/local/bin/autocert', 'signer', ...tail]);
  });

  test('finds its files where its configuration says', () => {
    for (const name of ['autocert', 'autocert-signer']) {
      const { containers, volumes } = find(manifests, 'Deployment', name).spec.template.spec;
      expect(containers[0].volumeMounts).toEqual([{ name: 'autocert', mountPath: '/etc/autocert', readOnly: true }]);
      const items = volumes[0].projected.sources.flatMap(
        (source: Record<string, { items: { path: string }[] }>) => Object.values(source)[0]?.items ?? [],
      );
      const paths = items.map(({ path }: { path: string }) => `/etc/autocert/${path}`);
      const { rootFile, provisionerPasswordFile } = configOf(manifests, `${name}-config`, 'config.json');
      expect(paths).toEqual(['/etc/autocert/config.json', rootFile, provisionerPasswordFile]);
    }
  });

  test('is asked about new pods of labelled namespaces that carry the annotation, never of its own or kube-system', () => {
    const webhook = registration(manifests);
    expect(webhook.rules).toEqual([
      { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'], scope: 'Namespaced' },
    ]);
    expect(webhook.namespaceSelector).toEqual({
      matchLabels: { 'autocert.step.sm': 'enabled' },
      matchExpressions: [{ key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: ['kube-system', 'step'] }],
    });
    expect(webhook.matchConditions).toEqual([
      {
        name: 'asks-for-certificate',
        expression: 'has(object.metadata.annotations) && "autocert.step.sm/name" in object.metadata.annotations',
      },
    ]);
  });

  test('speaks both versions of the review and declares no side effects', () => {
    expect(registration(manifests)).toMatchObject({
      name: 'autocert.step.sm',
      admissionReviewVersions: ['v1', 'v1beta1'],
      sideEffects: 'None',
      reinvocationPolicy: 'Never',
      clientConfig: { service: { name: 'autocert', namespace: 'step', path: '/mutate', port: 443 } },
    });
  });

  test('leaves the caBundle to the Job that makes the root', () => {
    expect(registration(manifests).clientConfig).not.toHaveProperty('caBundle');
  });

  test('refuses annotated pods while it is down, unless told to let them pass', () => {
    expect(registration(manifests)).toMatchObject({ failurePolicy: 'Fail', timeoutSeconds: 5 });
    const lenient = registration(made({ failurePolicy: 'Ignore', timeout: Duration.seconds(30) }));
    expect(lenient).toMatchObject({ failurePolicy: 'Ignore', timeoutSeconds: 30 });
  });

  test('survives the loss of a node: two replicas apart, one always left', () => {
    for (const name of ['autocert', 'autocert-signer']) {
      const { spec } = find(manifests, 'Deployment', name);
      expect(spec.replicas).toBe(2);
      expect(spec.strategy.rollingUpdate).toEqual({ maxSurge: 1, maxUnavailable: 0 });
      expect(spec.template.spec.topologySpreadConstraints[0]).toMatchObject({ topologyKey: 'kubernetes.io/hostname' });
      expect(find(manifests, 'PodDisruptionBudget', name).spec).toEqual({
        minAvailable: 1,
        selector: { matchLabels: { app: name } },
      });
    }
  });

  test('lets nodes be drained when it has one replica', () => {
    expect(listed(made({ replicas: 1, signerReplicas: 1 })).join()).not.toContain('PodDisruptionBudget');
  });

  test('serves under the name that agents connect to', () => {
    const { autocertUrl, servingNames, port } = config(manifests);
    expect(servingNames).toEqual(['autocert.step.svc', 'autocert.step.svc.cluster.local', 'autocert.step']);
    expect(autocertUrl).toBe('https://autocert.step.svc');
    expect(port).toBe(4443);
  });

  test('follows the CA into its namespace and cluster domain', () => {
    const moved = synth((chart) => {
      const ca = new StepCa(chart, 'ca', { namespace: 'pki', clusterDomain: 'k8s.example.com' });
      new AutocertWebhook(chart, 'autocert', { ca });
    });
    expect(config(moved)).toMatchObject({
      clusterDomain: 'k8s.example.com',
      caUrl: 'https://ca.pki.svc',
      autocertUrl: 'https://autocert.pki.svc',
      servingNames: ['autocert.pki.svc', 'autocert.pki.svc.k8s.example.com', 'autocert.pki'],
    });
    expect(JSON.stringify(moved)).not.toMatch(/"step"/);
  });

  test('tells the signer when kubelet is to renew, if that is not the usual two thirds', () => {
    const renewAt = (props: object) => configOf(made(props), 'autocert-signer-config', 'config.json').renewAt;
    expect(renewAt({ signerRenewAt: 0.5 })).toBe(0.5);
    expect(renewAt({})).toBeUndefined();
  });

  test("tells webhook and signer the CA's lifetimes", () => {
    const manifests = synth((chart) => {
      const ca = new StepCa(chart, 'ca', { defaultDuration: Duration.hours(2), maxDuration: Duration.days(7) });
      new AutocertWebhook(chart, 'autocert', { ca });
    });
    for (const name of ['autocert-config', 'autocert-signer-config']) {
      expect(configOf(manifests, name, 'config.json')).toMatchObject({
        defaultDuration: '2h',
        minDuration: '5m',
        maxDuration: '168h',
      });
    }
  });

  test('injects agents from its own image, with limits', () => {
    const { agent } = config(manifests);
    expect(agent).toEqual({
      image: `autocert:${packageJson.version}`,
      imagePullPolicy: 'IfNotPresent',
      resources: { requests: { cpu: '10m', memory: '64Mi' }, limits: { cpu: '1', memory: '128Mi' } },
    });
  });

  test('injects agents as the props say', () => {
    const agentResources = { requests: { memory: '1Mi' }, limits: { memory: '2Mi' } };
    const manifests = config(
      made({
        image: `registry.example.com:5000/autocert@sha256:${'0'.repeat(64)}`,
        imagePullPolicy: 'Always',
        agentResources,
        delivery: 'sidecar',
        sidecar: 'classic',
      }),
    );
    expect(manifests).toMatchObject({
      agent: { imagePullPolicy: 'Always', resources: agentResources },
      delivery: 'sidecar',
      sidecar: 'classic',
    });
  });

  test('replaces its pods when its configuration changes, and only then', () => {
    const checksum = (props?: Props) => find(made(props), 'Deployment', 'autocert').spec.template.metadata.annotations;
    expect(checksum({ delivery: 'sidecar' })).not.toEqual(checksum());
    expect(checksum({ failurePolicy: 'Ignore' })).toEqual(checksum());
  });

  test('never touches the namespaces that it is told to leave alone', () => {
    const app = new App();
    const chart = new Chart(app, 'test');
    const webhook = new AutocertWebhook(chart, 'autocert', {
      ca: new StepCa(chart, 'ca'),
      excludedNamespaces: ['monitoring'],
    });
    webhook.excludeNamespace('backup');
    const { values } = registration(chart.toJson()).namespaceSelector.matchExpressions[0];
    expect(values).toEqual(['backup', 'kube-system', 'monitoring', 'step']);
  });

  test('is the construct whose Deployment the escape hatch finds', () => {
    const chart = new Chart(new App(), 'test');
    const webhook = new AutocertWebhook(chart, 'autocert', { ca: new StepCa(chart, 'ca') });
    ApiObject.of(webhook).addJsonPatch(JsonPatch.add('/spec/minReadySeconds', 3));
    expect(find(chart.toJson(), 'Deployment', 'autocert').spec.minReadySeconds).toBe(3);
  });

  test('places its pods, and the signer’s, where the props say', () => {
    const placement: Props = { nodeSelector: { pool: 'system' }, priorityClassName: 'system-cluster-critical' };
    for (const spec of podSpecs(made(placement)).values()) expect(spec).toMatchObject(placement);
  });

  test('comes after the CA when the two are in different charts', () => {
    const app = new App();
    const late = new Chart(app, 'a-webhook');
    const ca = new StepCa(new Chart(app, 'z-ca'), 'ca');
    new AutocertWebhook(late, 'autocert', { ca });
    expect(app.charts.map(({ node }) => node.id)).toEqual(['a-webhook', 'z-ca']);
    late.toJson();
    expect(app.charts.map(({ node }) => node.id)).toEqual(['z-ca', 'a-webhook']);
  });
});

describe('AutocertWebhook, injector "policy"', () => {
  const manifests = made({ injector: 'policy' });

  test('has no webhook: nothing of it runs, is registered or has rights', () => {
    expect(listed(manifests).filter((name) => /\/autocert(-config)?$/.test(name))).toEqual([
      'MutatingAdmissionPolicy/autocert',
      'MutatingAdmissionPolicyBinding/autocert',
      'ValidatingAdmissionPolicy/autocert',
      'ValidatingAdmissionPolicyBinding/autocert',
    ]);
    expect(JSON.stringify(manifests)).not.toContain('tokenreviews');
  });

  test('has the signer', () => {
    expect(find(manifests, 'Deployment').metadata.name).toBe('autocert-signer');
  });

  test('has a PKI Job that may not touch any webhook', () => {
    const all = synth((chart) => {
      new AutocertWebhook(chart, 'autocert', { ca: new StepCa(chart, 'ca'), injector: 'policy' });
    });
    expect(JSON.stringify(all)).not.toContain('mutatingwebhookconfigurations');
  });

  test('knows the rules of every namespace, and leaves the excluded ones alone', () => {
    const chart = new Chart(new App(), 'test');
    const webhook = new AutocertWebhook(chart, 'autocert', { ca: new StepCa(chart, 'ca'), injector: 'policy' });
    webhook.addNamespace('shop', { allowedNames: ['*.shop.example.com'] });
    webhook.excludeNamespace('backup');
    for (const kind of ['MutatingAdmissionPolicy', 'ValidatingAdmissionPolicy']) {
      const { spec } = find(chart.toJson(), kind);
      const { values } = spec.matchConstraints.namespaceSelector.matchExpressions[0];
      expect(values).toEqual(['backup', 'kube-system', 'step']);
      if (kind.startsWith('Validating')) expect(JSON.stringify(spec.variables)).toContain('shop\\\\\\\\.example');
    }
  });

  test('is the construct whose MutatingAdmissionPolicy the escape hatch finds', () => {
    const chart = new Chart(new App(), 'test');
    const webhook = new AutocertWebhook(chart, 'autocert', { ca: new StepCa(chart, 'ca'), injector: 'policy' });
    ApiObject.of(webhook).addJsonPatch(JsonPatch.replace('/spec/failurePolicy', 'Ignore'));
    expect(find(chart.toJson(), 'MutatingAdmissionPolicy').spec.failurePolicy).toBe('Ignore');
  });
});

test('AutocertWebhook judges no Deployments where the cluster has no validating policies', () => {
  expect(listed(made()).join()).toContain('ValidatingAdmissionPolicy/autocert');
  expect(listed(made({ workloadPolicy: false })).join()).not.toContain('ValidatingAdmissionPolicy');
});

describe('AutocertWebhook refuses', () => {
  test.each<[string, Props, RegExp]>([
    [
      'a timeout of nothing',
      { timeout: Duration.millis(500) },
      /^timeout: got "0.5s", but it takes 1 to 30 whole seconds$/,
    ],
    ['a timeout beyond half a minute', { timeout: Duration.minutes(1) }, /^timeout: got "1m"/],
    ['no replicas', { replicas: 0 }, /^replicas: got 0/],
    [
      'a renewal after expiry',
      { signerRenewAt: 1.5 },
      /^signerRenewAt: got 1.5, but it takes a number between 0 and 1/,
    ],
    ['a negative number of signers', { signerReplicas: -1 }, /^signerReplicas: got -1/],
    [
      'an unknown failure policy',
      { failurePolicy: 'Maybe' as 'Fail' },
      /^failurePolicy: got "Maybe", but it takes "Fail" or "Ignore"$/,
    ],
    [
      'an unknown delivery',
      { delivery: 'pigeon' as 'auto' },
      /^delivery: got "pigeon", but it takes "auto" or "native" or "sidecar"$/,
    ],
    [
      'an unknown injector',
      { injector: 'needle' as 'policy' },
      /^injector: got "needle", but it takes "webhook" or "policy"$/,
    ],
    [
      'props of the webhook where there is none',
      { injector: 'policy', replicas: 3 },
      /^replicas: got 3, but with injector "policy" there is neither webhook nor agent$/,
    ],
    [
      'sidecars where there is no webhook',
      { injector: 'policy', delivery: 'sidecar' },
      /^delivery: got "sidecar", but/,
    ],
    ['pods that nobody judges', { injector: 'policy', workloadPolicy: false }, /^workloadPolicy: got false, but/],
    ['an unknown shape of sidecars', { sidecar: 'round' as 'auto' }, /^sidecar: got "round"/],
    ['an image that is none', { image: 'Autocert latest' }, /^image: got "Autocert latest"/],
    ['a namespace that cannot exist', { excludedNamespaces: ['a.b'] }, /^excludedNamespaces: got "a.b"/],
    [
      'agents with wrong quantities',
      { agentResources: { requests: { cpu: 'half' }, limits: {} } },
      /^agentResources.requests.cpu: got "half"/,
    ],
    [
      'signers with wrong quantities',
      { signerResources: { requests: {}, limits: { memory: '-1' } } },
      /^signerResources.limits.memory: got "-1"/,
    ],
  ])('%s', (_what, props, message) => expect(() => made(props)).toThrow(message));
});

import { ApiObject, App, Chart, Duration, JsonPatch } from 'cdk8s';
import {
  type ApiServerClientCa,
  AutocertMonitoring,
  AutocertNamespace,
  AutocertWebhook,
  type AutocertWebhookProps,
  Injector,
  Pki,
  StepCa,
  type WebhookInjectorOptions,
} from '../../../constructs/index.ts';
import { createAuthorities } from '../../support/authorities.ts';
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
/** The same with another webhook injector. */
const injecting = (options: WebhookInjectorOptions) => made({ injector: Injector.webhook(options) });
const config = (manifests: readonly Manifest[]) => configOf(manifests, 'autocert-config', 'config.json');
const registration = (manifests: readonly Manifest[]) => find(manifests, 'MutatingWebhookConfiguration').webhooks[0];

describe('AutocertWebhook', () => {
  const manifests = made();

  test('renders the default webhook and signer', () => expect(made({ image: 'autocert:x' })).toMatchSnapshot());

  test('has the names and labels that the tutorial uses', () => {
    expect(find(manifests, 'Deployment', 'autocert').spec.template.metadata.labels).toEqual({ app: 'autocert' });
    expect(find(manifests, 'Service').spec).toMatchObject({
      selector: { app: 'autocert' },
      ports: [
        { port: 443, targetPort: 4443 },
        { port: 4444, targetPort: 4444 },
      ],
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

  test('serves admission, certificates and health on ports of their own; the first two have a Service', () => {
    const [container] = find(manifests, 'Deployment', 'autocert').spec.template.spec.containers;
    expect(container.ports).toEqual([
      { name: 'https', containerPort: 4443 },
      { name: 'certificates', containerPort: 4444 },
      { name: 'http', containerPort: 9402 },
    ]);
    const probe = { port: 9402, scheme: 'HTTP' };
    expect(container.readinessProbe.httpGet).toEqual({ ...probe, path: '/readyz' });
    expect(container.livenessProbe.httpGet).toEqual({ ...probe, path: '/healthz' });
    expect(find(manifests, 'Service').spec.ports).toEqual([
      { name: 'https', port: 443, targetPort: 4443 },
      { name: 'certificates', port: 4444, targetPort: 4444 },
    ]);
    expect(config(manifests)).toMatchObject({ port: 4443, certificatePort: 4444, healthPort: 9402 });
    expect(registration(manifests).clientConfig.service.port).toBe(443);
  });

  test('lets everybody ask for admission, unless it is told by which CA it knows the API server', () => {
    const clientCaFile = '/etc/autocert/api-server/ca.crt';
    const mounted = (all: readonly Manifest[]) =>
      find(all, 'Deployment', 'autocert').spec.template.spec.volumes[0].projected.sources.flatMap(
        (source: { configMap?: { name: string; items: unknown[] } }) => source.configMap ?? [],
      );
    expect(config(manifests)).not.toHaveProperty('apiServer');
    const injector = (apiServerClientCa: ApiServerClientCa) => injecting({ apiServerClientCa });
    const some = injector({ configMap: 'api-server', key: 'roots.pem', commonNames: ['kube-apiserver'] });
    expect(config(some).apiServer).toEqual({ clientCaFile, commonNames: ['kube-apiserver'] });
    expect(mounted(some)).toContainEqual({
      name: 'api-server',
      items: [{ key: 'roots.pem', path: 'api-server/ca.crt' }],
    });
    const any = injector({ configMap: 'api-server' });
    expect(config(any).apiServer).toEqual({ clientCaFile });
    expect(mounted(any)).toContainEqual({ name: 'api-server', items: [{ key: 'ca.crt', path: 'api-server/ca.crt' }] });
  });

  test('lets the webhook review tokens, read pods and namespaces, report Events and read forced renewals, and no more', () => {
    expect(find(manifests, 'ClusterRole', 'autocert').rules).toEqual([
      { apiGroups: ['authentication.k8s.io'], resources: ['tokenreviews'], verbs: ['create'] },
      { apiGroups: [''], resources: ['pods', 'namespaces'], verbs: ['get'] },
      { apiGroups: [''], resources: ['events'], verbs: ['create'] },
    ]);
    expect(find(manifests, 'Role', 'autocert').metadata.namespace).toBe('step');
    expect(find(manifests, 'Role', 'autocert').rules).toEqual([
      { apiGroups: [''], resources: ['configmaps'], resourceNames: ['autocert-renewals'], verbs: ['get'] },
    ]);
  });

  test('tells webhook and signer to make Events of issued certificates, where that is asked for', () => {
    const settings = (made: readonly Manifest[]) =>
      ['autocert-config', 'autocert-signer-config'].map((name) => configOf(made, name, 'config.json').issuanceEvents);
    expect(settings(manifests)).toEqual([undefined, undefined]);
    expect(settings(made({ issuanceEvents: true }))).toEqual([true, true]);
    expect(() => made({ issuanceEvents: 'yes' as never })).toThrow(/^issuanceEvents: got "yes"/);
  });

  test('lets its signer answer for its own signer name, and do nothing beyond what it does', () => {
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
      {
        apiGroups: ['admissionregistration.k8s.io'],
        resources: ['mutatingwebhookconfigurations'],
        resourceNames: ['autocert'],
        verbs: ['get', 'patch'],
      },
      { apiGroups: [''], resources: ['pods', 'namespaces'], verbs: ['get'] },
      { apiGroups: [''], resources: ['events'], verbs: ['create'] },
      { apiGroups: [''], resources: ['pods', 'namespaces'], verbs: ['list'] },
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
      'RoleBinding/autocert',
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
      expect(containers[0].volumeMounts[0]).toEqual({ name: 'autocert', mountPath: '/etc/autocert', readOnly: true });
      const items = volumes[0].projected.sources.flatMap(
        (source: Record<string, { items: { path: string }[] }>) => Object.values(source)[0]?.items ?? [],
      );
      const paths = items.map(({ path }: { path: string }) => `/etc/autocert/${path}`);
      const { rootFile, provisionerPasswordFile, provisionerNextPasswordFile } = configOf(
        manifests,
        `${name}-config`,
        'config.json',
      );
      expect(paths).toEqual([
        '/etc/autocert/config.json',
        rootFile,
        provisionerPasswordFile,
        provisionerNextPasswordFile,
      ]);
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

  test('leaves the caBundle to the signer, which may patch this registration and no other', () => {
    expect(registration(manifests).clientConfig).not.toHaveProperty('caBundle');
    expect(configOf(manifests, 'autocert-signer-config', 'config.json').webhookConfiguration).toBe('autocert');
    const { rules = [] } = find(manifests, 'ClusterRole', 'autocert-signer');
    expect(rules.filter(({ apiGroups }) => apiGroups.includes('admissionregistration.k8s.io'))).toEqual([
      {
        apiGroups: ['admissionregistration.k8s.io'],
        resources: ['mutatingwebhookconfigurations'],
        resourceNames: ['autocert'],
        verbs: ['get', 'patch'],
      },
    ]);
  });

  test('has a signer without rights on webhooks where there is none', () => {
    const all = synth(
      (chart) => new AutocertWebhook(chart, 'autocert', { ca: new StepCa(chart, 'ca'), injector: Injector.policy() }),
    );
    expect(JSON.stringify(find(all, 'ClusterRole', 'autocert-signer'))).not.toContain('webhook');
    expect(configOf(all, 'autocert-signer-config', 'config.json')).not.toHaveProperty('webhookConfiguration');
  });

  test('refuses annotated pods while it is down, unless told to let them pass', () => {
    expect(registration(manifests)).toMatchObject({ failurePolicy: 'Fail', timeoutSeconds: 5 });
    const lenient = registration(injecting({ failurePolicy: 'Ignore', timeout: Duration.seconds(30) }));
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
        unhealthyPodEvictionPolicy: 'AlwaysAllow',
      });
    }
  });

  test('lets nodes be drained when it has one replica', () => {
    expect(listed(made({ injector: Injector.webhook({ replicas: 1 }), signer: { replicas: 1 } })).join()).not.toContain(
      'PodDisruptionBudget',
    );
  });

  test('serves under the name that agents connect to', () => {
    const { autocertUrl, servingNames, namespace } = config(manifests);
    expect(servingNames).toEqual(['autocert.step.svc', 'autocert.step.svc.cluster.local', 'autocert.step']);
    expect(autocertUrl).toBe('https://autocert.step.svc:4444');
    expect(namespace).toBe('step');
  });

  test('follows the CA into its namespace and cluster domain', () => {
    const moved = synth((chart) => {
      const ca = new StepCa(chart, 'ca', { namespace: 'pki', clusterDomain: 'k8s.example.com' });
      new AutocertWebhook(chart, 'autocert', { ca });
    });
    expect(config(moved)).toMatchObject({
      clusterDomain: 'k8s.example.com',
      caUrl: 'https://ca.pki.svc',
      autocertUrl: 'https://autocert.pki.svc:4444',
      servingNames: ['autocert.pki.svc', 'autocert.pki.svc.k8s.example.com', 'autocert.pki'],
    });
    expect(JSON.stringify(moved)).not.toMatch(/"step"/);
  });

  test('tells the signer when kubelet is to renew, if that is not the usual two thirds', () => {
    const renewAt = (props: Props) => configOf(made(props), 'autocert-signer-config', 'config.json').renewAt;
    expect(renewAt({ signer: { renewAt: 0.5 } })).toBe(0.5);
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

  test('injects agents from the image that it runs itself, with limits, unless they have one', () => {
    expect(config(made({ agentImage: 'agent:1' })).agent).toMatchObject({ image: 'agent:1' });
    expect(() => made({ agentImage: 'no image' })).toThrow(/agentImage/);
    const { agent } = config(manifests);
    expect(agent).toEqual({
      imagePullPolicy: 'IfNotPresent',
      resources: { requests: { cpu: '10m', memory: '16Mi' }, limits: { cpu: '1', memory: '128Mi' } },
    });
  });

  test('injects agents as the props say', () => {
    const agentResources = { requests: { memory: '1Mi' }, limits: { memory: '2Mi' } };
    const manifests = config(
      made({
        image: `registry.example.com:5000/autocert@sha256:${'0'.repeat(64)}`,
        imagePullPolicy: 'Always',
        injector: Injector.webhook({
          agentResources,
          agentImagePullSecrets: ['registry'],
          delivery: 'sidecar',
          sidecar: 'classic',
        }),
      }),
    );
    expect(manifests).toMatchObject({
      agent: { imagePullPolicy: 'Always', imagePullSecrets: ['registry'], resources: agentResources },
      delivery: 'sidecar',
      sidecar: 'classic',
    });
  });

  test('never replaces its pods for a setting that they follow while they run', () => {
    const rules = synth((chart) => {
      const webhook = new AutocertWebhook(chart, 'autocert', { ca: new StepCa(chart, 'ca') });
      webhook.addNamespace('shop', { allowedNames: ['*.shop.example.com'] });
    });
    for (const name of ['autocert', 'autocert-signer']) {
      const template = (objects: readonly Manifest[]) => find(objects, 'Deployment', name).spec.template;
      const file = `${name}-config`;
      expect(configOf(rules, file, 'config.json')).not.toEqual(configOf(manifests, file, 'config.json'));
      expect(template(rules)).toEqual(template(manifests));
      expect(template(injecting({ delivery: 'sidecar', sidecar: 'classic' }))).toEqual(template(manifests));
    }
  });

  test('replaces its pods when a setting changes that they read at their start: ports and Lease', () => {
    const moved = synth((chart) => {
      new AutocertWebhook(chart, 'autocert', { ca: new StepCa(chart, 'ca', { namespace: 'pki' }) });
    });
    const checksum = (objects: readonly Manifest[], name: string) =>
      find(objects, 'Deployment', name).spec.template.metadata.annotations['autocert.step.sm/config-checksum'];
    expect(checksum(moved, 'autocert-signer')).not.toBe(checksum(manifests, 'autocert-signer'));
    expect(checksum(moved, 'autocert')).toBe(checksum(manifests, 'autocert'));
  });

  test('never touches the namespaces that it is told to leave alone', () => {
    const app = new App();
    const chart = new Chart(app, 'test');
    const webhook = new AutocertWebhook(chart, 'autocert', {
      ca: new StepCa(chart, 'ca'),
      excludedNamespaces: ['monitoring'],
    });
    webhook.excludeNamespace('backup');
    const excluded = ['backup', 'kube-system', 'monitoring', 'step'];
    expect(registration(chart.toJson()).namespaceSelector.matchExpressions[0].values).toEqual(excluded);
    for (const name of ['autocert-config', 'autocert-signer-config']) {
      expect(configOf(chart.toJson(), name, 'config.json').excludedNamespaces).toEqual(excluded);
    }
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

describe('AutocertWebhook with Injector.policy()', () => {
  const manifests = made({ injector: Injector.policy() });

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

  test('has no account that may touch any webhook', () => {
    const all = synth((chart) => {
      new AutocertWebhook(chart, 'autocert', { ca: new StepCa(chart, 'ca'), injector: Injector.policy() });
    });
    expect(JSON.stringify(all.map(({ rules }) => rules))).not.toContain('mutatingwebhookconfigurations');
  });

  test('knows the rules of every namespace, and leaves the excluded ones alone', () => {
    const chart = new Chart(new App(), 'test');
    const webhook = new AutocertWebhook(chart, 'autocert', {
      ca: new StepCa(chart, 'ca'),
      injector: Injector.policy(),
    });
    webhook.addNamespace('shop', { allowedNames: ['*.shop.example.com'] });
    webhook.excludeNamespace('backup');
    for (const kind of ['MutatingAdmissionPolicy', 'ValidatingAdmissionPolicy']) {
      const { spec } = find(chart.toJson(), kind, 'autocert');
      const { values } = spec.matchConstraints.namespaceSelector.matchExpressions[0];
      expect(values).toEqual(['backup', 'kube-system', 'step']);
      if (kind.startsWith('Validating')) expect(JSON.stringify(spec.variables)).toContain('shop\\\\\\\\.example');
    }
  });

  test('is the construct whose MutatingAdmissionPolicy the escape hatch finds', () => {
    const chart = new Chart(new App(), 'test');
    const webhook = new AutocertWebhook(chart, 'autocert', {
      ca: new StepCa(chart, 'ca'),
      injector: Injector.policy(),
    });
    ApiObject.of(webhook).addJsonPatch(JsonPatch.replace('/spec/failurePolicy', 'Ignore'));
    expect(find(chart.toJson(), 'MutatingAdmissionPolicy').spec.failurePolicy).toBe('Ignore');
  });
});

describe('AutocertWebhook without a signer', () => {
  let rootCertificate: string;
  let intermediateCertificate: string;
  beforeAll(async () => {
    ({ root: rootCertificate, intermediate: intermediateCertificate } = await createAuthorities());
  });
  const without = (props: Props = {}) =>
    synth((chart) => {
      const pki = Pki.existing({ rootCertificate, intermediateCertificate });
      const webhook = new AutocertWebhook(chart, 'autocert', {
        ca: new StepCa(chart, 'ca', { pki }),
        signer: false,
        ...props,
      });
      new AutocertMonitoring(chart, 'monitoring', { webhook, metricsFrom: [] });
    });

  test('has nothing that is the signer’s alone: no pods, accounts, rights, Lease, policies, alerts', () => {
    const manifests = without({ podLabels: { team: 'x' } });
    expect(listed(manifests).filter((name) => name.includes('signer'))).toEqual([]);
    expect(listed(manifests)).toEqual(expect.arrayContaining(['Deployment/autocert', 'PodMonitor/autocert']));
    const rights = JSON.stringify(manifests.map(({ rules }) => rules));
    for (const ofTheSigner of ['leases', 'signers', 'clustertrustbundles', 'podcertificaterequests', 'webhook']) {
      expect(rights).not.toContain(ofTheSigner);
    }
    const { groups } = find(manifests, 'PrometheusRule').spec;
    expect(JSON.stringify(groups)).not.toMatch(/signer|pods_not_injected|trust_bundle/);
  });

  test('has the caBundle in the manifests', () => {
    const { caBundle } = registration(without()).clientConfig;
    expect(Buffer.from(caBundle, 'base64').toString()).toBe(rootCertificate);
  });

  test('may use a CA that lives elsewhere, whose root is given', () => {
    const manifests = synth((chart) => {
      const ca = StepCa.fromUrl(chart, 'ca', { url: 'https://ca.example.com', rootCertificate });
      new AutocertWebhook(chart, 'autocert', { ca, signer: false });
    });
    expect(listed(manifests).filter((name) => name.startsWith('Deployment/'))).toEqual(['Deployment/autocert']);
  });

  test.each(['auto', 'sidecar'] as const)('delivers by a sidecar, whatever a pod wishes: %s', (delivery) => {
    const injector = Injector.webhook({ delivery });
    expect(config(without({ injector }))).toMatchObject({ delivery: 'sidecar', signer: false });
    expect(config(made())).not.toHaveProperty('signer');
  });

  test('refuses native delivery at kubectl apply of the Deployment', () => {
    const messages = (manifests: readonly Manifest[]) =>
      find(manifests, 'ValidatingAdmissionPolicy', 'autocert').spec.validations.map(
        ({ message }: { message: string }) => message,
      );
    const message =
      'autocert.step.sm/delivery needs the signer, without which Autocert is installed: write sidecar or auto';
    expect(messages(without())).toContain(message);
    expect(messages(made())).not.toContain(message);
  });

  test('is refused where that cannot work, and says what to do', () => {
    expect(() => made({ signer: false })).toThrow(
      /^signer: got false, but the API server trusts the webhook by its caBundle, .* by pki: Pki\.existing\(\{ rootCertificate, … \}\) or StepCa\.fromUrl, or leave signer out$/,
    );
    expect(() => without({ injector: Injector.policy() })).toThrow(
      /^signer: got false, but Injector\.policy\(\) needs it, .*: take Injector\.webhook\(\), or leave signer out$/,
    );
    expect(() => without({ injector: Injector.webhook({ delivery: 'native' }) })).toThrow(
      /^signer: got false, but delivery "native" of the injector needs it: take "auto" or "sidecar", or leave signer out$/,
    );
  });
});

test('AutocertWebhook judges no Deployments where the cluster has no validating policies', () => {
  expect(listed(made())).toContain('ValidatingAdmissionPolicy/autocert');
  expect(listed(injecting({ workloadPolicy: false }))).not.toContain('ValidatingAdmissionPolicy/autocert');
});

describe('namespaceLabel', () => {
  const LABEL = 'autocert.example.com/on=yes';
  const MATCH = { 'autocert.example.com/on': 'yes' };
  const selectors = (manifests: readonly Manifest[]) => [
    registration(manifests).namespaceSelector.matchLabels,
    find(manifests, 'ValidatingAdmissionPolicy', 'autocert').spec.matchConstraints.namespaceSelector.matchLabels,
  ];

  test('is what webhook and policies select namespaces by, and what webhook and signer judge by', () => {
    const manifests = made({ namespaceLabel: LABEL });
    expect(selectors(manifests)).toEqual([MATCH, MATCH]);
    const namespaceLabel = { key: 'autocert.example.com/on', value: 'yes' };
    expect(config(manifests)).toMatchObject({ namespaceLabel });
    expect(configOf(manifests, 'autocert-signer-config', 'config.json')).toMatchObject({ namespaceLabel });
  });

  test('is in the injecting policy, too', () => {
    const manifests = made({ namespaceLabel: LABEL, injector: Injector.policy() });
    const { matchConstraints } = find(manifests, 'MutatingAdmissionPolicy').spec;
    expect(matchConstraints.namespaceSelector.matchLabels).toEqual(MATCH);
  });

  test('is autocert.step.sm=enabled by default, which the configuration does not say', () => {
    expect(selectors(made())).toEqual(Array(2).fill({ 'autocert.step.sm': 'enabled' }));
    expect(config(made())).not.toHaveProperty('namespaceLabel');
    expect(made({ namespaceLabel: 'autocert.step.sm=enabled' })).toEqual(made());
  });

  test('is the label of every AutocertNamespace', () => {
    const manifests = synth((chart) => {
      const webhook = new AutocertWebhook(chart, 'autocert', { ca: new StepCa(chart, 'ca'), namespaceLabel: LABEL });
      new AutocertNamespace(chart, 'shop', { webhook, name: 'shop' });
    });
    const { labels } = find(manifests, 'Namespace', 'shop').metadata;
    expect(labels).toMatchObject(MATCH);
    expect(labels).not.toHaveProperty(['autocert.step.sm']);
  });

  test.each([
    ['autocert', 'autocert'],
    ['without a value', 'a='],
    ['two of them', 'a=b=c'],
    ['no key', '=b'],
    ['a key that is none', 'a b=c'],
    ['a label of Kubernetes', 'kubernetes.io/metadata.name=shop'],
    ['a list', ['a=b']],
  ])('%s is refused in one sentence', (_what, namespaceLabel) => {
    expect(() => made({ namespaceLabel } as Props)).toThrow(/^namespaceLabel: /);
  });
});

describe('mode', () => {
  const binding = (manifests: readonly Manifest[], name: string) =>
    find(manifests, 'ValidatingAdmissionPolicyBinding', name).spec.validationActions;

  test('report: the webhook is told, and the policy on workloads warns', () => {
    const manifests = made({ mode: 'report' });
    expect(config(manifests)).toMatchObject({ mode: 'report' });
    expect(binding(manifests, 'autocert')).toEqual(['Warn', 'Audit']);
  });

  test('report weakens nothing else: what protects others goes on refusing, and the signer does not know of it', () => {
    const [usual, reporting] = [made(), made({ mode: 'report' })];
    expect(binding(reporting, 'autocert-annotations')).toEqual(['Deny']);
    expect(binding(reporting, 'autocert-signer')).toEqual(['Deny']);
    const others = (manifests: readonly Manifest[]) =>
      manifests.filter(
        ({ kind, metadata: { name } }) =>
          !(kind === 'ConfigMap' && name === 'autocert-config') &&
          !(kind === 'ValidatingAdmissionPolicyBinding' && name === 'autocert'),
      );
    expect(others(reporting)).toEqual(others(usual));
  });

  test('is enforce by default, which the configuration does not say', () => {
    expect(config(made())).not.toHaveProperty('mode');
    expect(made({ mode: 'enforce' })).toEqual(made());
  });

  test.each<[string, Props, RegExp]>([
    ['another word', { mode: 'warn' as 'report' }, /^mode: .*enforce.*report/],
    [
      'report with Injector.policy(), which injects before anybody judges',
      { mode: 'report', injector: Injector.policy() },
      /^mode: .*take Injector\.webhook\(\)/,
    ],
  ])('%s is refused', (_what, props, message) => expect(() => made(props)).toThrow(message));
});

describe('an installation in a namespace of its own', () => {
  const ofCluster = (namespace?: string) =>
    synth((chart) => {
      const ca = new StepCa(chart, 'ca', { ...(namespace && { namespace }) });
      new AutocertWebhook(chart, 'autocert', { ca, namespaceLabel: `autocert-${namespace ?? 'usual'}=enabled` });
    }).filter(({ metadata }) => metadata.namespace === undefined);
  const names = (manifests: readonly Manifest[]) => listed(manifests);

  test('shares no name of the cluster with another one, nor with the Go original', () => {
    const [usual, tls, signer] = [undefined, 'tls', 'signer'].map((namespace) => names(ofCluster(namespace)));
    const original = ['Namespace/step', 'MutatingWebhookConfiguration/autocert-webhook-config'];
    const rights = ['ClusterRole/autocert-controller', 'ClusterRoleBinding/autocert-controller'];
    const all = [...(tls ?? []), ...(signer ?? []), ...(usual ?? []).filter((name) => name !== 'Namespace/step')];
    expect(all.length).toBeGreaterThan(30);
    expect(new Set([...all, ...original, ...rights]).size).toBe(all.length + 4);
  });

  test('has its namespace behind them, and a signer and a trust bundle of its own', () => {
    const manifests = ofCluster('tls');
    expect(names(manifests)).toContain('MutatingWebhookConfiguration/autocert.tls');
    const { rules } = find(manifests, 'ClusterRole', 'autocert-signer.tls');
    const named = rules?.flatMap(({ resourceNames = [] }) => resourceNames);
    expect(named).toEqual(['autocert.step.sm/workload.tls', 'autocert.step.sm:workload.tls:root', 'autocert.tls']);
    expect(find(manifests, 'ClusterRoleBinding', 'autocert-signer.tls').roleRef).toMatchObject({
      name: 'autocert-signer.tls',
    });
  });

  test('may be in one chart with another, if namespace and label differ', () => {
    const both = (label?: string) => () =>
      synth((chart) => {
        new AutocertWebhook(chart, 'one', { ca: new StepCa(chart, 'ca-1') });
        const ca = new StepCa(chart, 'ca-2', { namespace: 'tls' });
        new AutocertWebhook(chart, 'two', { ca, ...(label && { namespaceLabel: label }) });
      });
    expect(both('autocert.example.com=enabled')).not.toThrow();
    expect(both()).toThrow(/"test\/two" is the second beside/);
  });
});

describe('two AutocertWebhooks', () => {
  const second = (other: (scope: Chart, ca: StepCa) => void) => () => {
    const app = new App();
    const chart = new Chart(app, 'system');
    const ca = new StepCa(chart, 'ca');
    new AutocertWebhook(chart, 'one', { ca });
    other(chart, ca);
    chart.toJson();
  };

  test.each<[string, (scope: Chart, ca: StepCa) => void, string]>([
    ['in one chart', (chart, ca) => void new AutocertWebhook(chart, 'two', { ca }), 'system/two'],
    [
      'of one CA',
      (chart, ca) => void new AutocertWebhook(new Chart(chart.node.root, 'elsewhere'), 'two', { ca }),
      'elsewhere/two',
    ],
  ])('%s are one error, which names both', (_what, other, path) => {
    expect(second(other)).toThrow(
      `Validation failed with the following errors:\n  [${path}] AutocertWebhook "${path}" is the second beside ` +
        '"system/one", with the same CA, namespace or namespaceLabel: one serves any number of namespaces, and a second ' +
        'in a cluster takes all three of its own.',
    );
  });

  test('may be in charts of different clusters', () => {
    const other = (chart: Chart) => {
      const elsewhere = new Chart(chart.node.root, 'elsewhere');
      new AutocertWebhook(elsewhere, 'two', { ca: new StepCa(elsewhere, 'ca') });
    };
    expect(second(other)).not.toThrow();
  });
});

describe('AutocertWebhook refuses', () => {
  test.each<[string, unknown, RegExp]>([
    ['no CA', { ca: undefined }, /^ca: got undefined, but it takes a StepCa, or what StepCa.fromUrl gives$/],
    ['a CA that is a URL', { ca: 'https://ca' }, /^ca: got "https:\/\/ca", but it takes a StepCa/],
    [
      'an injector that is a word',
      { injector: 'policy' },
      /^injector: got "policy", but it takes Injector.webhook\(…\) or Injector.policy\(\)$/,
    ],
    [
      'a renewal after expiry',
      { signer: { renewAt: 1.5 } },
      /^signer.renewAt: got 1.5, but it takes a number between 0 and 1/,
    ],
    ['a negative number of signers', { signer: { replicas: -1 } }, /^signer.replicas: got -1/],
    ['a signer that is a number', { signer: 3 }, /^signer: got 3, but it takes an object$/],
    [
      'signers with wrong quantities',
      { signer: { resources: { requests: {}, limits: { memory: '-1' } } } },
      /^signer.resources.limits.memory: got "-1"/,
    ],
    ['an image that is none', { image: 'Autocert latest' }, /^image: got "Autocert latest"/],
    ['an image that is no string', { image: 5 }, /^image: got 5, but it takes an image reference/],
    ['a namespace that cannot exist', { excludedNamespaces: ['a.b'] }, /^excludedNamespaces\[0\]: got "a.b"/],
    [
      'a namespace instead of a list',
      { excludedNamespaces: 'a' },
      /^excludedNamespaces: got "a", but it takes a list$/,
    ],
    ['a node selector with numbers', { nodeSelector: { gpu: 1 } }, /^nodeSelector.gpu: got 1, but it takes the value/],
    ['tolerations that are words', { tolerations: ['all'] }, /^tolerations\[0\]: got "all", but it takes an object$/],
  ])('%s', (_what, props, message) => expect(() => made(props as Props)).toThrow(message));

  test.each<[unknown, RegExp]>([
    [['a*.example.com'], /^reservedNames\[0\]: got "a\*\.example\.com", but its label "a\*"/],
    [['https://ca.example.com/x'], /^reservedNames\[0\]: got "https:.*", but it takes DNS names/],
    ['10.0.0.1', /^reservedNames: got "10.0.0.1", but it takes a list$/],
  ])('to reserve %j', (reservedNames, message) => {
    expect(() => made({ reservedNames } as Props)).toThrow(message);
  });

  test('short names by a word', () => {
    expect(() => made({ shortNames: 'no' } as unknown as Props)).toThrow(
      /^shortNames: got "no", but it takes true or false$/,
    );
  });

  test('to leave a namespace alone whose rules it was given', () => {
    const chart = new Chart(new App(), 'test');
    const webhook = new AutocertWebhook(chart, 'autocert', { ca: new StepCa(chart, 'ca') });
    webhook.addNamespace('shop', {});
    expect(() => webhook.excludeNamespace('shop')).toThrow(/^excludedNamespaces: got "shop", but the rules/);
  });
});

describe('Injector.webhook refuses', () => {
  test.each<[string, unknown, RegExp]>([
    [
      'a timeout of half a second',
      { timeout: Duration.millis(500) },
      /^timeout: got "0.5s", but it takes 1 to 30 whole seconds, such as Duration.seconds\(5\)$/,
    ],
    ['a timeout beyond half a minute', { timeout: Duration.minutes(1) }, /^timeout: got "1m"/],
    ['a timeout that is a number', { timeout: 5 }, /^timeout: got 5, but it takes 1 to 30 whole seconds/],
    ['no replicas', { replicas: 0 }, /^replicas: got 0/],
    [
      'an unknown failure policy',
      { failurePolicy: 'Maybe' },
      /^failurePolicy: got "Maybe", but it takes "Fail" or "Ignore"$/,
    ],
    [
      'an unknown delivery',
      { delivery: 'pigeon' },
      /^delivery: got "pigeon", but it takes "auto" or "native" or "sidecar"$/,
    ],
    ['an unknown shape of sidecars', { sidecar: 'round' }, /^sidecar: got "round"/],
    ['a flag that is a word', { workloadPolicy: 'no' }, /^workloadPolicy: got "no", but it takes true or false$/],
    [
      'agents with wrong quantities',
      { agentResources: { requests: { cpu: 'half' }, limits: {} } },
      /^agentResources.requests.cpu: got "half"/,
    ],
    [
      'resources without limits',
      { resources: { requests: {} } },
      /^resources.limits: got undefined, but it takes quantities by resource, such as \{ memory: "128Mi" \}$/,
    ],
    ['a CA of the API server that is a word', { apiServerClientCa: 'ca' }, /^apiServerClientCa: got "ca"/],
    ['one without a ConfigMap', { apiServerClientCa: {} }, /^apiServerClientCa.configMap: got undefined/],
    [
      'one whose key is a path',
      { apiServerClientCa: { configMap: 'ca', key: '../ca.crt' } },
      /^apiServerClientCa.key: got "..\/ca.crt", but it takes letters, digits/,
    ],
    [
      'common names that are none',
      { apiServerClientCa: { configMap: 'ca', commonNames: [] } },
      /^apiServerClientCa.commonNames: got \[\], but it takes one name at least/,
    ],
    ['resources that are a word', { resources: 'small' }, /^resources: got "small", but it takes an object$/],
  ])('%s', (_what, options, message) => {
    expect(() => Injector.webhook(options as WebhookInjectorOptions)).toThrow(message);
  });
});

test('no namespace of a Chart gets onto a cluster-scoped object of Autocert', () => {
  const chart = new Chart(new App(), 'test', { namespace: 'mine' });
  const ca = new StepCa(chart, 'ca');
  const webhook = new AutocertWebhook(chart, 'autocert', { ca });
  new AutocertNamespace(chart, 'shop', { webhook, name: 'shop' });
  new AutocertNamespace(chart, 'old', { webhook, name: 'old', create: false });
  const without = chart.toJson().filter(({ metadata }: Manifest) => metadata.namespace === undefined);
  expect(new Set(without.map(({ kind }: Manifest) => kind))).toEqual(
    new Set([
      'Namespace',
      'ClusterRole',
      'ClusterRoleBinding',
      'MutatingWebhookConfiguration',
      'ValidatingAdmissionPolicy',
      'ValidatingAdmissionPolicyBinding',
    ]),
  );
  expect(JSON.stringify(chart.toJson())).not.toContain('"mine"');
});

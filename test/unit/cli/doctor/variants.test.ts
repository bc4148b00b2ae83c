import { type Diagnosis, doctor } from '../../../../runtime/cli/doctor/run.ts';
import { painter } from '../../../../runtime/cli/terminal.ts';
import { At, askingPod, foreignWebhook, MANIFESTS, SickCluster, systemPod } from '../../../support/sick-cluster.ts';

const examine = async (cluster: SickCluster) => {
  const effects = {
    connect: () => ({ api: cluster }),
    now: () => cluster.clock,
    monotonic: () => 0,
    paint: painter(false),
  };
  return JSON.parse((await doctor({ output: 'json', autocertNamespace: 'step' }, effects)).text) as Diagnosis;
};
const withoutPolicies = (cluster: SickCluster, ...names: string[]) =>
  cluster.lists.set(
    At.policies,
    MANIFESTS.filter(({ kind, metadata }) => kind === 'NetworkPolicy' && !names.includes(metadata.name)),
  );
const forget = (cluster: SickCluster, name: string, ...more: string[]) => {
  const rbac = '/apis/rbac.authorization.k8s.io/v1';
  for (const path of [
    `${rbac}/clusterroles/${name}`,
    `${rbac}/clusterrolebindings/${name}`,
    `${rbac}/namespaces/step/roles/${name}`,
    `${rbac}/namespaces/step/rolebindings/${name}`,
    ...more,
  ]) {
    cluster.objects.delete(path);
  }
};

describe('an installation with other props is well, too:', () => {
  test('without a webhook, the API server injects by policy', async () => {
    const cluster = new SickCluster();
    const registration = '/apis/admissionregistration.k8s.io/v1';
    forget(cluster, 'autocert', At.configuration, At.deployment, `${At.webhook}/autocert`);
    cluster.lists.set(At.webhook, []);
    cluster.lists.set(At.systemPods, [systemPod('ca-0', 'ca'), systemPod('autocert-signer-1', 'autocert-signer')]);
    cluster.objects.set(`${registration}/mutatingadmissionpolicies/autocert`, {});
    cluster.objects.set(`${registration}/mutatingadmissionpolicybindings/autocert`, {});
    withoutPolicies(cluster, 'autocert');
    expect(await examine(cluster)).toMatchObject({ findings: [], notLookedAt: [] });
  });

  test('beside another with a label of its own, whose pods are not looked at', async () => {
    const cluster = new SickCluster();
    cluster.lists.set(At.namespaces, [
      { metadata: { name: 'shop', labels: { 'autocert.step.sm': 'enabled' } } },
      { metadata: { name: 'bank', labels: { 'tls.example.com': 'on' } } },
    ]);
    cluster.lists.set(At.pods, [askingPod('web'), askingPod('till', { namespace: 'bank', image: 'autocert:0.0.1' })]);
    cluster.register(cluster.root, {}, [
      foreignWebhook('autocert-webhook-config', {
        name: 'autocert.step.sm',
        namespaceSelector: { matchLabels: { 'tls.example.com': 'on' } },
      }),
    ]);
    expect(await examine(cluster)).toMatchObject({
      findings: [],
      notLookedAt: [],
      others: [{ kind: 'original', pods: 1 }],
    });
  });

  test('with pods of another in a namespace that has moved, and were not restarted', async () => {
    const cluster = new SickCluster();
    const old = askingPod('till', { image: 'autocert-renewer:0.20' });
    const [agent] = old.spec.initContainers;
    const initContainers = [{ ...agent, env: [{ name: 'STEP_CA_URL', value: 'https://ca.step.svc' }] }];
    cluster.lists.set(At.pods, [askingPod('web'), { ...old, spec: { ...old.spec, initContainers } }]);
    expect(await examine(cluster)).toMatchObject({ findings: [], others: [{ kind: 'original', pods: 1 }] });
  });

  test('without a signer', async () => {
    const cluster = new SickCluster();
    forget(cluster, 'autocert-signer', At.signer, At.lease, At.trustBundle);
    cluster.configure({ signer: false });
    cluster.lists.set(At.systemPods, [systemPod('ca-0', 'ca'), systemPod('autocert-1', 'autocert')]);
    withoutPolicies(cluster, 'autocert-signer');
    expect(await examine(cluster)).toMatchObject({ findings: [], notLookedAt: [] });
  });

  test('with a CA elsewhere', async () => {
    const cluster = new SickCluster();
    cluster.objects.delete(At.ca);
    cluster.configure({ caUrl: 'https://ca.example.com' });
    cluster.certify([cluster.root], []);
    cluster.lists.set(At.systemPods, [
      systemPod('autocert-1', 'autocert'),
      systemPod('autocert-signer-1', 'autocert-signer'),
    ]);
    withoutPolicies(cluster, 'ca');
    expect(await examine(cluster)).toMatchObject({ findings: [], notLookedAt: [] });
  });

  test('without NetworkPolicies', async () => {
    const cluster = new SickCluster();
    cluster.lists.set(At.policies, []);
    expect(await examine(cluster)).toMatchObject({ findings: [], notLookedAt: [] });
  });

  test('on a cluster without pod certificates, with sidecars', async () => {
    const cluster = new SickCluster();
    cluster.objects.delete(At.certificateApis);
    cluster.objects.delete(At.trustBundle);
    cluster.texts.set('/version', { status: 200, text: '{"major": "1", "minor": "34+"}', date: cluster.clock });
    expect(await examine(cluster)).toMatchObject({ findings: [], notLookedAt: [] });
  });

  test('while one root replaces the other', async () => {
    const cluster = new SickCluster();
    const { root } = new SickCluster();
    cluster.certify([root, cluster.root], [cluster.intermediate]);
    cluster.objects.set(At.trustBundle, { spec: { trustBundle: root.certificatePem + cluster.root.certificatePem } });
    expect(await examine(cluster)).toMatchObject({ findings: [], notLookedAt: [] });
  });
});

describe('what is over is no fault:', () => {
  test('pods of the Jobs that have come to their end, pods that are being deleted, and pods of others', async () => {
    const cluster = new SickCluster();
    const conditions = [{ type: 'Ready', status: 'False' }];
    const pods = cluster.lists.get(At.systemPods) ?? [];
    const going = systemPod('autocert-2', 'autocert', { conditions });
    cluster.lists.set(At.systemPods, [
      ...pods,
      systemPod('autocert-init-1', 'autocert-init', { phase: 'Failed', conditions }),
      systemPod('stranger', 'other', { conditions }),
      { ...going, metadata: { ...going.metadata, deletionTimestamp: cluster.clock.toISOString() } },
    ]);
    expect((await examine(cluster)).findings).toEqual([]);
  });

  test('a controller that has its pods by now, is gone, or asks for no certificate', async () => {
    const message = 'Error creating: pods "web-1-x" is forbidden: exceeded quota: small';
    const event = (name: string) => ({
      metadata: { namespace: 'shop' },
      involvedObject: { kind: 'ReplicaSet', namespace: 'shop', name },
      message,
      lastTimestamp: '2026-11-29T08:00:00Z',
    });
    const cluster = new SickCluster();
    const template = { metadata: { annotations: { 'autocert.step.sm/name': 'web.shop.svc' } }, spec: {} };
    const group = '/apis/apps/v1/namespaces/shop/replicasets';
    cluster.lists.set(At.events, ['has-them', 'gone', 'plain', 'scaled-to-0'].map(event));
    cluster.objects
      .set(`${group}/has-them`, { kind: 'ReplicaSet', spec: { replicas: 1, template }, status: { replicas: 1 } })
      .set(`${group}/scaled-to-0`, { kind: 'ReplicaSet', spec: { replicas: 0, template }, status: { replicas: 0 } })
      .set(`${group}/plain`, { kind: 'ReplicaSet', spec: { replicas: 1, template: {} }, status: { replicas: 0 } });
    expect((await examine(cluster)).findings).toEqual([]);
  });
});

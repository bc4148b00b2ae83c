import { type Diagnosis, type DoctorOptions, doctor } from '../../../../runtime/cli/doctor/run.ts';
import { painter } from '../../../../runtime/cli/terminal.ts';
import {
  At,
  askingPod,
  failedCreate,
  foreignWebhook,
  MANIFESTS,
  SickCluster,
  systemPod,
} from '../../../support/sick-cluster.ts';
import { issue } from '../../../support/tiny-ca.ts';

const examine = async (cluster: SickCluster, options: Partial<DoctorOptions> = {}, now = () => cluster.clock) => {
  const effects = { connect: () => ({ api: cluster }), now, monotonic: () => 0, paint: painter(false) };
  const { text } = await doctor({ output: 'json', autocertNamespace: 'step', ...options }, effects);
  return JSON.parse(text) as Diagnosis;
};
const seconds = (cluster: SickCluster, ahead: number) => new Date(cluster.clock.getTime() + ahead * 1000).toISOString();
const replicaSet = { kind: 'ReplicaSet', spec: { replicas: 1, template: askingPod('web') }, status: { replicas: 0 } };
const refusedWith = (cluster: SickCluster, message: string) => {
  cluster.lists.set(At.events, [failedCreate('ReplicaSet', 'web-1', message)]);
  cluster.objects.set('/apis/apps/v1/namespaces/shop/replicasets/web-1', replicaSet);
};
const policyNamed = (name: string) =>
  MANIFESTS.find((one) => one.kind === 'NetworkPolicy' && one.metadata.name === name);
const others = (...names: string[]) =>
  MANIFESTS.filter(({ kind, metadata }) => kind === 'NetworkPolicy' && !names.includes(metadata.name));

interface Fault {
  readonly name: string;
  readonly check: string;
  readonly object: string;
  readonly says: RegExp;
  readonly remedy?: RegExp;
  readonly severity?: 'warning';
  /** Checks that tell of its consequences. */
  readonly also?: readonly string[];
  readonly break: (cluster: SickCluster) => void;
}

const UNREADABLE = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
const PODS_REFUSED = 'Error creating: pods "web-1-" is forbidden: ';
const FAULTS: readonly Fault[] = [
  {
    name: 'a caBundle that is missing',
    check: 'ca-bundle',
    object: 'mutatingwebhookconfiguration/autocert',
    says: /has no caBundle/,
    break: (cluster) => cluster.register(undefined),
  },
  {
    name: 'a caBundle of another root',
    check: 'ca-bundle',
    object: 'mutatingwebhookconfiguration/autocert',
    says: /is not the root that signs/,
    remedy: /logs -l app=autocert-signer/,
    break: (cluster) => cluster.register(issue('Another', { ca: true })),
  },
  {
    name: 'a caBundle that nobody can read',
    check: 'ca-bundle',
    object: 'mutatingwebhookconfiguration/autocert',
    says: /no certificate that can be read/,
    break: (cluster) => cluster.register({ ...cluster.root, certificatePem: UNREADABLE }),
  },
  {
    name: 'a DNS without endpoints',
    check: 'dns',
    object: 'kube-system/service/kube-dns',
    says: /no ready endpoint/,
    break: (cluster) => cluster.lists.set(At.slices('kube-system'), []),
  },
  {
    name: 'a DNS that is not there',
    check: 'dns',
    object: 'kube-system/service/kube-dns',
    says: /no such Service/,
    break: (cluster) => cluster.objects.delete(At.dns),
  },
  {
    name: "a NetworkPolicy of Autocert's that lacks a door",
    check: 'network-policy',
    object: 'networkpolicy/autocert',
    says: /app=autocert cannot be reached by the API server/,
    break: (cluster) => {
      const { spec, ...own } = policyNamed('autocert') as unknown as {
        spec: { ingress: { ports: { port: number }[] }[] };
      };
      const ingress = spec.ingress.filter(({ ports }) => ports[0]?.port !== 4443);
      cluster.lists.set(At.policies, [...others('autocert'), { ...own, spec: { ...spec, ingress } }]);
    },
  },
  {
    name: 'a NetworkPolicy of others that shuts out what ours no longer lets through',
    check: 'network-policy',
    object: 'networkpolicy/deny-all',
    says: /app=ca cannot be reached by autocert .*deny-all closed it/,
    break: (cluster) => {
      const denyAll = {
        metadata: { name: 'deny-all', namespace: 'step' },
        spec: { podSelector: {}, policyTypes: ['Ingress'] },
      };
      cluster.lists.set(At.policies, [...others('ca'), denyAll]);
    },
  },
  {
    name: 'a NetworkPolicy that shuts agents in',
    check: 'network-policy',
    object: 'shop/networkpolicy/deny-all',
    says: /1 pod \(web\) with an agent cannot reach Autocert \(egress TCP 4444\)/,
    remedy: /allow egress TCP 4444 to pods app=autocert of namespace step/,
    break: (cluster) => {
      const dns = { ports: [{ protocol: 'UDP', port: 53 }] };
      const spec = { podSelector: {}, policyTypes: ['Egress'], egress: [dns] };
      cluster.lists.set(At.policies, [...others(), { metadata: { name: 'deny-all', namespace: 'shop' }, spec }]);
    },
  },
  {
    name: "an API server whose clock is not this machine's",
    check: 'clock',
    object: 'apiserver',
    says: /is 120 s ahead/,
    severity: 'warning',
    break: (cluster) => {
      cluster.texts.set('/version', { status: 200, text: '{}', date: new Date(cluster.clock.getTime() + 120_000) });
      const later = seconds(cluster, 120);
      cluster.change(At.lease, { spec: { holderIdentity: 'x', renewTime: later, leaseDurationSeconds: 15 } });
      cluster.lists.set(At.nodeLeases, [{ metadata: { name: 'node-1' }, spec: { renewTime: later } }]);
    },
  },
  {
    name: 'a node whose clock is ahead',
    check: 'clock',
    object: 'node/node-1',
    says: /is 600 s ahead/,
    break: (cluster) =>
      cluster.lists.set(At.nodeLeases, [{ metadata: { name: 'node-1' }, spec: { renewTime: seconds(cluster, 600) } }]),
  },
  {
    name: 'a node whose clock is behind, though the control plane hears of it',
    check: 'clock',
    object: 'node/node-1',
    says: /is 600 s behind/,
    break: (cluster) =>
      cluster.lists.set(At.nodeLeases, [{ metadata: { name: 'node-1' }, spec: { renewTime: seconds(cluster, -600) } }]),
  },
  {
    name: 'annotated pods in a namespace without the label',
    check: 'namespace-label',
    object: 'namespace/shop',
    says: /1 annotated pod \(web\) and not the label.*no certificate is renewed here \(1\)/,
    remedy: /kubectl label namespace shop autocert\.step\.sm=enabled/,
    break: (cluster) =>
      cluster.lists.set(At.namespaces, [{ metadata: { name: 'shop' } }, { metadata: { name: 'step' } }]),
  },
  {
    name: 'an excluded namespace that is labelled',
    check: 'excluded-namespace',
    object: 'namespace/kube-system',
    says: /has the label, and is excluded/,
    severity: 'warning',
    break: (cluster) =>
      cluster.lists.set(At.namespaces, [
        ...(cluster.lists.get(At.namespaces) ?? []).slice(0, 1),
        { metadata: { name: 'kube-system', labels: { 'autocert.step.sm': 'enabled' } } },
        ...(cluster.lists.get(At.namespaces) ?? []).slice(2),
      ]),
  },
  {
    name: 'a root that has expired',
    check: 'expiry',
    object: 'configmap/ca-certs',
    says: /root "Test Root CA" .* expired on/,
    remedy: /rotate announce/,
    break: (cluster) => {
      const old = issue('Test Root CA', { ca: true, notBefore: cluster.in(-20), notAfter: cluster.in(-1) });
      const intermediate = issue('Test Intermediate CA', { ca: true, issuer: old, notAfter: cluster.in(400) });
      cluster.certify([old], [intermediate]);
      cluster.register(old);
      cluster.objects.set(At.trustBundle, { spec: { trustBundle: old.certificatePem } });
    },
  },
  {
    name: 'an intermediate that expires soon',
    check: 'expiry',
    object: 'configmap/ca-certs',
    says: /intermediate .* expires on .*, in 9 days/,
    severity: 'warning',
    break: (cluster) =>
      cluster.certify([cluster.root], [issue('I', { ca: true, issuer: cluster.root, notAfter: cluster.in(9.5) })]),
  },
  {
    name: 'a full volume of the CA',
    check: 'ca-volume',
    object: 'persistentvolumeclaim/ca-db',
    says: /takes nothing more: no space left/,
    break: (cluster) =>
      cluster.says('ca-0', 9404, 503, 'the volume of the database takes nothing more: no space left on the volume\n'),
  },
  {
    name: "a wrong password of the CA's key",
    check: 'password',
    object: 'secret/ca-password',
    says: /the password does not open intermediate_ca_key/,
    break: (cluster) =>
      cluster.says(
        'ca-0',
        9404,
        503,
        'there is nothing to start step-ca with: the password does not open intermediate_ca_key',
      ),
  },
  {
    name: 'a wrong password while the CA runs on with the one before: by its metrics, then its log',
    check: 'password',
    object: 'secret/ca-password',
    says: /does not open intermediate_ca_key, and it runs on/,
    break: (cluster) => {
      cluster.texts
        .set(At.proxy('ca-0', 9404, 'metrics'), { status: 200, text: 'autocert_ca_configuration_fits 0\n' })
        .set(At.log('ca-0'), {
          status: 200,
          text: '{"level":30,"msg":"ready"}\n{"level":40,"problem":"the password does not open intermediate_ca_key","msg":"what is mounted does not fit together yet"}\n',
        });
    },
  },
  {
    name: "a wrong password of the provisioner's key, where the API server does not reach the pod: by its log",
    check: 'password',
    object: 'secret/autocert-password',
    says: /the password does not open the key of provisioner autocert/,
    break: (cluster) => {
      const conditions = [{ type: 'Ready', status: 'False' }];
      cluster.lists.set(At.systemPods, [
        systemPod('ca-0', 'ca'),
        systemPod('autocert-1', 'autocert', { conditions }),
        systemPod('autocert-signer-1', 'autocert-signer'),
      ]);
      cluster.texts
        .set(At.proxy('autocert-1', 9402, 'readyz'), { status: 503, text: '{"kind":"Status"}' })
        .set(At.log('autocert-1'), {
          status: 200,
          text: '{"reason":"the password does not open the key of provisioner autocert","msg":"no serving certificate"}\n{"msg":"listening"}\n',
        });
    },
  },
  {
    name: "a missing binding of the webhook's account",
    check: 'rbac',
    object: 'clusterrolebinding/autocert',
    says: /not there: serviceaccount autocert lacks its rights/,
    remedy: /kubectl apply -f dist\//,
    break: (cluster) => cluster.objects.delete(At.binding),
  },
  {
    name: 'a role that lacks a right',
    check: 'rbac',
    object: 'role/autocert-signer',
    says: /does not let serviceaccount autocert-signer update leases\.coordination\.k8s\.io/,
    break: (cluster) =>
      cluster.change('/apis/rbac.authorization.k8s.io/v1/namespaces/step/roles/autocert-signer', {
        rules: [{ apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['get', 'create'] }],
      }),
  },
  {
    name: 'a webhook without a ready endpoint',
    check: 'webhook-down',
    object: 'service/autocert',
    says: /no ready endpoint: annotated pods are refused/,
    remedy: /scale deployment\/autocert --replicas=2/,
    also: ['installation'],
    break: (cluster) => {
      cluster.change(At.deployment, { spec: { replicas: 0 }, status: {} });
      cluster.lists.set(At.slices('step'), [{ endpoints: [{ conditions: { ready: false } }] }]);
    },
  },
  {
    name: 'a registration that asks the wrong port',
    check: 'webhook-down',
    object: 'mutatingwebhookconfiguration/autocert',
    says: /asks port 8443 of service\/autocert, which has 443, 4444/,
    break: (cluster) => cluster.register(cluster.root, { port: 8443 }),
  },
  {
    name: 'a signer without a leader',
    check: 'leader',
    object: 'lease/autocert-signer',
    says: /no replica of the signer leads/,
    break: (cluster) => cluster.objects.delete(At.lease),
  },
  {
    name: 'a leader that is silent',
    check: 'leader',
    object: 'lease/autocert-signer',
    says: /its holder x has been silent for 90 s/,
    break: (cluster) =>
      cluster.change(At.lease, {
        spec: { holderIdentity: 'x', renewTime: seconds(cluster, -90), leaseDurationSeconds: 15 },
      }),
  },
  {
    name: "an image of Autocert's that cannot be pulled",
    check: 'image-pull',
    object: 'pod/ca-0',
    says: /image autocert:9 of container supervisor cannot be pulled \(ImagePullBackOff\)/,
    break: (cluster) => {
      const waiting = { reason: 'ImagePullBackOff', message: 'Back-off pulling image' };
      const containerStatuses = [{ name: 'supervisor', image: 'autocert:9', state: { waiting } }];
      cluster.lists.set(At.systemPods, [systemPod('ca-0', 'ca', { containerStatuses })]);
    },
  },
  {
    name: 'an image of an agent that cannot be pulled',
    check: 'image-pull',
    object: 'shop/pod/web',
    says: /of container autocert-renewer cannot be pulled \(ErrImagePull\)/,
    break: (cluster) => {
      const state = { waiting: { reason: 'ErrImagePull' } };
      const initContainerStatuses = [{ name: 'autocert-renewer', image: 'autocert:0.1.0', state }];
      cluster.lists.set(At.pods, [askingPod('web', { status: { initContainerStatuses } })]);
    },
  },
  {
    name: 'pods that Pod Security refuses',
    check: 'pod-security',
    object: 'shop/replicaset/web-1',
    says: /violates PodSecurity "restricted:latest"/,
    break: (cluster) =>
      refusedWith(
        cluster,
        `${PODS_REFUSED}violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false`,
      ),
  },
  {
    name: 'pods for which a quota has no room',
    check: 'quota',
    object: 'shop/replicaset/web-1',
    says: /exceeded quota: small/,
    remedy: /describe resourcequota/,
    break: (cluster) =>
      refusedWith(cluster, `${PODS_REFUSED}exceeded quota: small, requested: pods=1, used: pods=0, limited: pods=0`),
  },
  {
    name: 'a webhook of others that refuses since nobody answers',
    check: 'other-webhook',
    object: 'mutatingwebhookconfiguration/mesh',
    says: /service away\/gone, which is not there: pods of step, shop cannot be created/,
    break: (cluster) => cluster.register(cluster.root, {}, [foreignWebhook('mesh', {})]),
  },
  {
    name: 'a webhook of others that an event names',
    check: 'other-webhook',
    object: 'shop/replicaset/web-1',
    says: /failed calling webhook "mesh.example.com"/,
    remedy: /webhook mesh\.example\.com is not Autocert’s/,
    break: (cluster) =>
      refusedWith(
        cluster,
        'Error creating: Internal error occurred: failed calling webhook "mesh.example.com": no endpoints',
      ),
  },
  {
    name: "agents older than the webhook's",
    check: 'old-agent',
    object: 'namespace/shop',
    says: /1 pod \(web\) with an older agent, autocert:0\.0\.9: the webhook injects autocert:0\.1\.0/,
    severity: 'warning',
    break: (cluster) => cluster.lists.set(At.pods, [askingPod('web', { image: 'autocert:0.0.9' })]),
  },
  {
    name: 'a webhook that injects agents of an older version than its own',
    check: 'old-agent',
    object: 'configmap/autocert-config',
    says: /the webhook is autocert:0\.1\.0, and injects agents of an older version, autocert:0\.0\.9/,
    severity: 'warning',
    break: (cluster) => {
      const resources = { requests: {}, limits: {} };
      cluster.configure({ agent: { image: 'autocert:0.0.9', imagePullPolicy: 'Never', resources } });
      cluster.lists.set(At.pods, []);
    },
  },
  {
    name: 'a trust bundle that is missing',
    check: 'trust-bundle',
    object: 'clustertrustbundle/autocert.step.sm:workload:root',
    says: /it is not there/,
    break: (cluster) => cluster.objects.delete(At.trustBundle),
  },
  {
    name: 'a trust bundle without the root',
    check: 'trust-bundle',
    object: 'clustertrustbundle/autocert.step.sm:workload:root',
    says: /lacks the root "Test Root CA"/,
    break: (cluster) => cluster.objects.set(At.trustBundle, { spec: { trustBundle: '' } }),
  },
  {
    name: 'a ConfigMap of the roots that is missing',
    check: 'trust-bundle',
    object: 'configmap/ca-certs',
    says: /no root in it/,
    break: (cluster) => cluster.objects.delete(At.certificates),
  },
  {
    name: 'a certificate that nobody can read in it',
    check: 'trust-bundle',
    object: 'configmap/ca-certs',
    says: /1 certificate in it cannot be read/,
    break: (cluster) =>
      cluster.certify([cluster.root, { ...cluster.root, certificatePem: UNREADABLE }], [cluster.intermediate]),
  },
  {
    name: 'native delivery without its API',
    check: 'api',
    object: 'api/certificates.k8s.io/v1',
    says: /not served, and the configuration has delivery: native/,
    break: (cluster) => {
      cluster.objects.delete(At.certificateApis);
      cluster.configure({ delivery: 'native' });
    },
  },
  {
    name: 'an API server that does not serve what its version has',
    check: 'api',
    object: 'api/certificates.k8s.io/v1',
    says: /though this is Kubernetes 1\.37/,
    severity: 'warning',
    break: (cluster) => cluster.objects.delete(At.certificateApis),
  },
  {
    name: 'an API server without ValidatingAdmissionPolicies',
    check: 'api',
    object: 'api/admissionregistration.k8s.io/v1',
    says: /validatingadmissionpolicies are not served/,
    severity: 'warning',
    break: (cluster) => cluster.objects.set(At.admissionApis, { resources: [] }),
  },
  {
    name: 'the Go original beside it',
    check: 'two-installations',
    object: 'mutatingwebhookconfiguration/autocert-webhook-config',
    says: /a second installation: it asks service step\/autocert about/,
    break: (cluster) =>
      cluster.register(cluster.root, {}, [
        foreignWebhook('autocert-webhook-config', {
          name: 'autocert.step.sm',
          namespaceSelector: { matchLabels: { 'autocert.step.sm': 'enabled' } },
          clientConfig: { service: { namespace: 'step', name: 'autocert', path: '/mutate' } },
        }),
      ]),
  },
  {
    name: 'report mode',
    check: 'report-mode',
    object: 'configmap/autocert-config',
    says: /pods that the rules refuse are created, without a certificate/,
    severity: 'warning',
    break: (cluster) => cluster.configure({ mode: 'report' }),
  },
  {
    name: 'a namespace with the labels of two installations',
    check: 'two-installations',
    object: 'namespace/shop',
    says: /it has the labels of two installations, this one and that of mutatingwebhookconfiguration\/autocert\.tls/,
    remedy: /kubectl label namespace shop autocert\.step\.sm-/,
    break: (cluster) => {
      const labels = { 'autocert.step.sm': 'enabled', 'tls.example.com': 'on' };
      cluster.lists.set(At.namespaces, [{ metadata: { name: 'shop', labels } }]);
      cluster.register(cluster.root, {}, [
        foreignWebhook('autocert.tls', {
          name: 'autocert.step.sm',
          namespaceSelector: { matchLabels: { 'tls.example.com': 'on' } },
          failurePolicy: 'Ignore',
        }),
      ]);
    },
  },
  {
    name: 'no Autocert where it is looked for',
    check: 'installation',
    object: 'namespace/step',
    says: /not installed here/,
    break: (cluster) => {
      cluster.objects.delete(At.configuration);
      cluster.objects.delete('/api/v1/namespaces/step/configmaps/autocert-signer-config');
    },
  },
  {
    name: 'no Autocert here, and one elsewhere',
    check: 'installation',
    object: 'namespace/step',
    says: /not installed here/,
    remedy: /it seems to be in namespace pki: autocert doctor -n pki/,
    break: (cluster) => {
      cluster.objects.delete(At.configuration);
      cluster.objects.delete('/api/v1/namespaces/step/configmaps/autocert-signer-config');
      cluster.register(cluster.root, { namespace: 'pki' });
      cluster.objects.set('/api/v1/namespaces/pki/services/autocert', { spec: { ports: [{ port: 443 }] } });
      cluster.lists.set(At.slices('pki'), cluster.lists.get(At.slices('step')) ?? []);
    },
  },
  {
    name: 'a part that is missing',
    check: 'installation',
    object: 'statefulset/ca',
    says: /the CA is not there/,
    break: (cluster) => cluster.objects.delete(At.ca),
  },
  {
    name: 'a configuration that cannot be used',
    check: 'configuration',
    object: 'configmap/autocert-config',
    says: /port: must be/,
    break: (cluster) => cluster.configure({ port: 'x' }),
  },
  {
    name: "a pod of Autocert's that no node takes",
    check: 'system-pod',
    object: 'pod/ca-0',
    says: /no node takes it: 0\/1 nodes are available/,
    severity: 'warning',
    break: (cluster) => {
      const conditions = [{ type: 'PodScheduled', status: 'False', message: '0/1 nodes are available' }];
      cluster.lists.set(At.systemPods, [systemPod('ca-0', 'ca', { phase: 'Pending', conditions })]);
    },
  },
  {
    name: 'annotated pods that were not injected',
    check: 'not-injected',
    object: 'namespace/shop',
    says: /1 annotated pod \(web\) without a certificate/,
    remedy: /rollout restart/,
    break: (cluster) => cluster.lists.set(At.pods, [askingPod('web', { injected: false })]),
  },
  {
    name: 'pods that Autocert refuses',
    check: 'refused',
    object: 'shop/replicaset/web-1',
    says: /is not allowed/,
    remedy: /autocert explain replicaset\/web-1 -n shop/,
    break: (cluster) =>
      refusedWith(
        cluster,
        'Error creating: admission webhook "autocert.step.sm" denied the request: "a.b" is not allowed',
      ),
  },
  {
    name: 'a policy that is bound to nothing',
    check: 'admission-policy',
    object: 'validatingadmissionpolicy/autocert',
    says: /no validatingadmissionpolicybinding/,
    severity: 'warning',
    break: (cluster) =>
      cluster.objects.delete('/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings/autocert'),
  },
];

test('a cluster in which all is well has no findings, all of it was looked at, and nothing is written', async () => {
  const cluster = new SickCluster();
  expect(await examine(cluster)).toEqual({
    namespace: 'step',
    healthy: true,
    findings: [],
    notLookedAt: [],
    others: [],
  });
  expect(cluster.writes).toEqual([]);
});

test('no Secret is read', async () => {
  const cluster = new SickCluster();
  await examine(cluster);
  expect(cluster.calls.filter((call) => call.includes('secret'))).toEqual([]);
});

describe('named, with its object and a remedy, and nothing but it', () => {
  test.each(FAULTS.map((fault) => [fault.name, fault] as const))('%s', async (_, fault) => {
    const cluster = new SickCluster();
    fault.break(cluster);
    const { findings, healthy } = await examine(cluster);
    expect(healthy).toBe(false);
    const found = findings.find(({ check, object }) => check === fault.check && object === fault.object);
    expect(found).toMatchObject({
      message: expect.stringMatching(fault.says),
      remedy: expect.stringMatching(fault.remedy ?? /\S/),
      severity: fault.severity ?? 'error',
    });
    const checks = new Set(findings.map((one) => one.check));
    expect([...checks].sort()).toEqual([fault.check, ...(fault.also ?? [])].sort());
  });
});

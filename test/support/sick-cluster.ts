/**
 * A cluster in which all is well with Autocert, as `autocert doctor` sees one, for tests to make something wrong in it.
 * @module
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { ObjectStore } from './object-store.ts';
import { annotations } from './pods.ts';
import { issue, type TestCertificate } from './tiny-ca.ts';

const DIST = join(import.meta.dirname, '../../dist');
const REGISTRATION = '/apis/admissionregistration.k8s.io/v1';
const RBAC = '/apis/rbac.authorization.k8s.io/v1';
const DAY_MS = 24 * 3_600_000;

/** Paths of what tests change most. */
export const At = {
  system: '/api/v1/namespaces/step',
  webhook: `${REGISTRATION}/mutatingwebhookconfigurations`,
  validating: `${REGISTRATION}/validatingwebhookconfigurations`,
  policies: '/apis/networking.k8s.io/v1/networkpolicies',
  deployment: '/apis/apps/v1/namespaces/step/deployments/autocert',
  signer: '/apis/apps/v1/namespaces/step/deployments/autocert-signer',
  ca: '/apis/apps/v1/namespaces/step/statefulsets/ca',
  certificates: '/api/v1/namespaces/step/configmaps/ca-certs',
  configuration: '/api/v1/namespaces/step/configmaps/autocert-config',
  lease: '/apis/coordination.k8s.io/v1/namespaces/step/leases/autocert-signer',
  nodeLeases: '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases',
  nodes: '/api/v1/nodes',
  namespaces: '/api/v1/namespaces',
  systemPods: '/api/v1/namespaces/step/pods',
  pods: '/api/v1/pods',
  events: '/api/v1/events',
  dns: '/api/v1/namespaces/kube-system/services/kube-dns',
  trustBundle: '/apis/certificates.k8s.io/v1/clustertrustbundles/autocert.step.sm%3Aworkload%3Aroot',
  certificateApis: '/apis/certificates.k8s.io/v1',
  admissionApis: '/apis/admissionregistration.k8s.io/v1',
  binding: `${RBAC}/clusterrolebindings/autocert`,
  slices: (namespace: string) => `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`,
  proxy: (pod: string, port: number, path: string) => `/api/v1/namespaces/step/pods/${pod}:${port}/proxy/${path}`,
  log: (pod: string) => `/api/v1/namespaces/step/pods/${pod}/log`,
} as const;

interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

/** Objects of the manifests that are committed. */
export const MANIFESTS: readonly Manifest[] = ['0000-step-ca', '0001-autocert'].flatMap((name) =>
  parseAllDocuments(readFileSync(join(DIST, `${name}.k8s.yaml`), 'utf8')).map(
    (document) => document.toJS() as Manifest,
  ),
);

/** A pod with the annotation, that has its certificate. */
export function askingPod(
  name: string,
  change: {
    readonly namespace?: string;
    readonly injected?: boolean;
    readonly image?: string;
    readonly status?: object;
  } = {},
) {
  const { namespace = 'shop', injected = true, image = 'autocert:0.1.0', status = {} } = change;
  return {
    metadata: {
      name,
      namespace,
      annotations: annotations({ name: `${name}.${namespace}.svc`, ...(injected && { status: 'injected' }) }),
    },
    spec: { containers: [{ name: 'web' }], initContainers: injected ? [{ name: 'autocert-renewer', image }] : [] },
    status: { phase: 'Running', ...status },
  };
}

/** A pod of Autocert. */
export function systemPod(name: string, app: string, status: object = {}) {
  const conditions = [{ type: 'Ready', status: 'True' }];
  return {
    metadata: { name, namespace: 'step', labels: { app } },
    spec: { containers: [{ name: app, image: 'autocert:0.1.0' }] },
    status: { phase: 'Running', conditions, ...status },
  };
}

/** A configuration with one webhook, of somebody else, that is asked about pods. */
export const foreignWebhook = (name: string, webhook: object) => ({
  metadata: { name },
  webhooks: [
    {
      name,
      rules: [{ apiGroups: [''], resources: ['pods'], operations: ['CREATE'] }],
      clientConfig: { service: { namespace: 'away', name: 'gone' } },
      ...webhook,
    },
  ],
});

/** An event of a controller that cannot create a pod. */
export function failedCreate(kind: string, name: string, message: string, namespace = 'shop') {
  return {
    metadata: { namespace },
    involvedObject: { kind, namespace, name },
    reason: 'FailedCreate',
    message,
    lastTimestamp: '2026-11-29T08:00:00Z',
  };
}

/** See the module. */
export class SickCluster extends ObjectStore {
  readonly clock = new Date();
  readonly root: TestCertificate = issue('Test Root CA', { ca: true, notAfter: this.in(4_000) });
  readonly intermediate: TestCertificate = issue('Test Intermediate CA', {
    ca: true,
    issuer: this.root,
    notAfter: this.in(400),
  });

  constructor() {
    super();
    const time = this.clock.toISOString();
    for (const object of MANIFESTS) this.objects.set(pathOf(object), object);
    const ready = (path: string, readyReplicas: number) => this.change(path, { status: { readyReplicas } });
    ready(At.ca, 1);
    ready(At.deployment, 2);
    ready(At.signer, 2);
    this.texts.set('/version', { status: 200, text: '{"major": "1", "minor": "37"}', date: this.clock });
    this.certify([this.root], [this.intermediate]);
    this.register(this.root);
    this.objects
      .set(At.lease, { spec: { holderIdentity: 'autocert-signer-1', renewTime: time, leaseDurationSeconds: 15 } })
      .set(At.dns, { spec: { ports: [{ port: 53 }] } })
      .set(At.trustBundle, { spec: { trustBundle: this.root.certificatePem } })
      .set(At.certificateApis, { resources: [{ name: 'podcertificaterequests' }, { name: 'clustertrustbundles' }] })
      .set(At.admissionApis, {
        resources: [{ name: 'validatingadmissionpolicies' }, { name: 'mutatingadmissionpolicies' }],
      });
    this.lists
      .set(
        At.policies,
        MANIFESTS.filter(({ kind }) => kind === 'NetworkPolicy'),
      )
      .set(At.slices('step'), [{ endpoints: [{ conditions: { ready: true } }] }])
      .set(At.slices('kube-system'), [{ endpoints: [{ conditions: { ready: true } }] }])
      .set(At.nodes, [{ metadata: { name: 'node-1' }, status: { conditions: [{ type: 'Ready', status: 'True' }] } }])
      .set(At.nodeLeases, [{ metadata: { name: 'node-1' }, spec: { renewTime: time } }])
      .set(At.namespaces, [
        { metadata: { name: 'step', labels: { 'kubernetes.io/metadata.name': 'step' } } },
        { metadata: { name: 'kube-system', labels: { 'kubernetes.io/metadata.name': 'kube-system' } } },
        { metadata: { name: 'shop', labels: { 'autocert.step.sm': 'enabled' } } },
      ])
      .set(At.systemPods, [
        systemPod('ca-0', 'ca'),
        systemPod('autocert-1', 'autocert'),
        systemPod('autocert-signer-1', 'autocert-signer'),
      ])
      .set(At.pods, [askingPod('web')]);
    this.says('ca-0', 9404, 200, 'ok');
    this.texts.set(At.proxy('ca-0', 9404, 'metrics'), { status: 200, text: 'autocert_ca_configuration_fits 1\n' });
    this.says('autocert-1', 9402, 200, 'ok');
    this.says('autocert-signer-1', 9402, 200, 'ok');
  }

  /** In so many days. */
  in(days: number): Date {
    return new Date(this.clock.getTime() + days * DAY_MS);
  }

  /** Changes some of an object's fields. */
  change(path: string, fields: object): void {
    this.objects.set(path, { ...(this.objects.get(path) as object), ...fields });
  }

  /** What a pod answers at its port for kubelet. */
  says(pod: string, port: number, status: number, text: string): void {
    this.texts.set(At.proxy(pod, port, 'readyz'), { status, text });
  }

  /** What is in ConfigMap `ca-certs`. */
  certify(roots: readonly TestCertificate[], intermediates: readonly TestCertificate[]): void {
    const pem = (all: readonly TestCertificate[]) => all.map(({ certificatePem }) => certificatePem).join('');
    this.objects.set(At.certificates, {
      data: { 'root_ca.crt': pem(roots), 'intermediate_ca.crt': pem(intermediates) },
    });
  }

  /** The webhook's registration, with this caBundle, and others besides. */
  register(bundle: TestCertificate | undefined, service: object = {}, others: readonly object[] = []): void {
    const found = MANIFESTS.find(({ kind }) => kind === 'MutatingWebhookConfiguration') as unknown as {
      readonly webhooks: readonly [{ readonly clientConfig: { readonly service: object } }];
    };
    const [webhook] = found.webhooks;
    const caBundle = bundle && Buffer.from(bundle.certificatePem).toString('base64');
    const clientConfig = { service: { ...webhook.clientConfig.service, ...service }, ...(caBundle && { caBundle }) };
    const own = { ...found, webhooks: [{ ...webhook, clientConfig }] };
    this.lists.set(At.webhook, [own, ...others]);
    this.objects.set(`${At.webhook}/autocert`, own);
  }

  /** The webhook's configuration with some settings changed. */
  configure(settings: object): void {
    const { data } = this.objects.get(At.configuration) as { data: { 'config.json': string } };
    const json = JSON.stringify({ ...JSON.parse(data['config.json']), ...settings });
    this.objects.set(At.configuration, { data: { 'config.json': json } });
  }
}

function pathOf({ apiVersion, kind, metadata: { name, namespace } }: Manifest): string {
  const lower = kind.toLowerCase();
  const plural = lower.endsWith('y') ? `${lower.slice(0, -1)}ies` : `${lower}s`;
  const group = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  return `${group}${namespace === undefined ? '' : `/namespaces/${namespace}`}/${plural}/${name}`;
}

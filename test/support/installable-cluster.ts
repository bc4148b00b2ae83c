/**
 * An API server on which Autocert can be installed: it knows the kinds, and whatever is applied is ready at once.
 * @module
 */
import { ObjectStore } from './object-store.ts';
import { hierarchy } from './tiny-ca.ts';

type Kinds = Readonly<Record<string, readonly [plural: string, namespaced: boolean]>>;

const POLICIES: Kinds = {
  ValidatingAdmissionPolicy: ['validatingadmissionpolicies', false],
  ValidatingAdmissionPolicyBinding: ['validatingadmissionpolicybindings', false],
};

/** Kinds by API version, as a cluster of version 1.37 has them. */
const KINDS: Readonly<Record<string, Kinds>> = {
  v1: {
    Namespace: ['namespaces', false],
    ServiceAccount: ['serviceaccounts', true],
    ConfigMap: ['configmaps', true],
    PersistentVolumeClaim: ['persistentvolumeclaims', true],
    Service: ['services', true],
  },
  'apps/v1': { Deployment: ['deployments', true], StatefulSet: ['statefulsets', true] },
  'batch/v1': { Job: ['jobs', true], CronJob: ['cronjobs', true] },
  'policy/v1': { PodDisruptionBudget: ['poddisruptionbudgets', true] },
  'networking.k8s.io/v1': { NetworkPolicy: ['networkpolicies', true] },
  'rbac.authorization.k8s.io/v1': {
    Role: ['roles', true],
    RoleBinding: ['rolebindings', true],
    ClusterRole: ['clusterroles', false],
    ClusterRoleBinding: ['clusterrolebindings', false],
  },
  'admissionregistration.k8s.io/v1': {
    ...POLICIES,
    MutatingWebhookConfiguration: ['mutatingwebhookconfigurations', false],
  },
};

/** `resourceAttributes` that a review asks for. */
export interface Asked {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
}

/** What is special about one. */
export interface InstallableOptions {
  /** Minor version of Kubernetes 1. @default 37 */
  readonly minor?: string;
  /** What whoever asks may do. @default everything */
  readonly may?: (right: Asked) => boolean;
  /** Who asks. @default admin */
  readonly user?: string;
}

/** Makes one. */
export function installableCluster(options: InstallableOptions = {}): ObjectStore {
  const { minor = '37', may = () => true, user = 'admin' } = options;
  const store = new ObjectStore();
  store.objects.set('/version', { major: '1', minor, gitVersion: `v1.${minor}.0` });
  for (const [version, kinds] of Object.entries(KINDS)) {
    const known = Object.entries(kinds).filter(([kind]) => Number.parseInt(minor, 10) >= 30 || !(kind in POLICIES));
    const resources = known.map(([kind, [name, namespaced]]) => ({ kind, name, namespaced }));
    store.objects.set(`/${version === 'v1' ? 'api' : 'apis'}/${version}`, { resources });
  }
  if (Number.parseInt(minor, 10) >= 37) {
    const resources = ['podcertificaterequests', 'clustertrustbundles'].map((name) => ({ name }));
    store.objects.set('/apis/certificates.k8s.io/v1', { resources });
  }
  store.reviews
    .set('/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', (body) => {
      const { spec } = body as { spec: { resourceAttributes: Asked } };
      return { status: { allowed: may(spec.resourceAttributes) } };
    })
    .set('/apis/authentication.k8s.io/v1/selfsubjectreviews', () => ({ status: { userInfo: { username: user } } }));
  store.afterWrite = ({ path, body }) => getReady(store, path, body);
  return store;
}

/** What controllers, the Job and the signer do. */
function getReady(store: ObjectStore, path: string, body: unknown): void {
  const object = body as { kind?: string; spec?: { replicas?: number }; webhooks?: readonly object[] };
  const set = (more: object) => store.objects.set(path, { ...object, ...more });
  if (object.kind === 'Job') {
    set({ status: { conditions: [{ type: 'Complete', status: 'True' }] } });
    store.objects.set('/api/v1/namespaces/step/configmaps/ca-certs', {
      data: { 'root_ca.crt': hierarchy().root.certificatePem },
    });
    for (const name of ['ca-password', 'autocert-password']) {
      const password = Buffer.from(`secret-of-${name}`).toString('base64');
      store.objects.set(`/api/v1/namespaces/step/secrets/${name}`, { data: { password } });
    }
  }
  if (object.kind === 'Deployment' || object.kind === 'StatefulSet') {
    const replicas = object.spec?.replicas ?? 1;
    set({ status: { updatedReplicas: replicas, readyReplicas: replicas } });
  }
}

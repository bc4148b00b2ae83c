/**
 * The pod that the benchmarks send around: of the size and shape that a Deployment's pods have.
 * @module
 */
import { Annotation } from '../runtime/contract.ts';
import { tokenOf } from '../scripts/cluster/attestation-token.ts';

/** Its names. */
export const POD = {
  name: 'shop-7d9c5b8f6d-x2v4q',
  namespace: 'default',
  uid: '6f1c1f0a-3a53-4b2f-9a59-0d6f1c7f2b11',
  dns: 'shop.default.svc.cluster.local',
} as const;

/** Its service-account token, by which its agent asks. */
export const TOKEN = tokenOf({
  sub: `system:serviceaccount:${POD.namespace}:default`,
  'kubernetes.io': {
    namespace: POD.namespace,
    pod: { name: POD.name, uid: POD.uid },
    serviceaccount: { name: 'default' },
  },
});

const ACCESS = { name: 'kube-api-access-x7w2p', mountPath: '/var/run/secrets/kubernetes.io/serviceaccount' };

function container(name: string, port: number) {
  return {
    name,
    image: `registry.example.com/shop/${name}:1.4.2`,
    imagePullPolicy: 'IfNotPresent',
    args: ['--listen', `:${port}`, '--config', '/etc/shop/config.yaml'],
    ports: [{ name: 'http', containerPort: port, protocol: 'TCP' }],
    env: [
      { name: 'LOG_LEVEL', value: 'info' },
      { name: 'POD_IP', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'status.podIP' } } },
      { name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'shop', key: 'password' } } },
    ],
    resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { memory: '256Mi' } },
    livenessProbe: { httpGet: { path: '/healthz', port: 'http', scheme: 'HTTP' }, periodSeconds: 10 },
    readinessProbe: { httpGet: { path: '/readyz', port: 'http', scheme: 'HTTP' }, periodSeconds: 5 },
    volumeMounts: [{ name: 'config', mountPath: '/etc/shop', readOnly: true }, ACCESS],
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'File',
    securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
  };
}

/** The AdmissionReview by which the API server asks about it. */
export const REVIEW = JSON.stringify({
  kind: 'AdmissionReview',
  apiVersion: 'admission.k8s.io/v1',
  request: {
    uid: '3f6b0b0a-7f7d-4a0e-9d55-5c3a4a1b9d2e',
    kind: { group: '', version: 'v1', kind: 'Pod' },
    resource: { group: '', version: 'v1', resource: 'pods' },
    namespace: POD.namespace,
    operation: 'CREATE',
    userInfo: {
      username: 'system:serviceaccount:kube-system:replicaset-controller',
      groups: ['system:serviceaccounts', 'system:authenticated'],
    },
    object: {
      kind: 'Pod',
      apiVersion: 'v1',
      metadata: {
        generateName: 'shop-7d9c5b8f6d-',
        namespace: POD.namespace,
        labels: { app: 'shop', 'pod-template-hash': '7d9c5b8f6d' },
        annotations: { [Annotation.name]: POD.dns, 'prometheus.io/scrape': 'true' },
        ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'shop-7d9c5b8f6d', controller: true }],
      },
      spec: {
        volumes: [
          { name: 'config', configMap: { name: 'shop', defaultMode: 420 } },
          {
            name: ACCESS.name,
            projected: { sources: [{ serviceAccountToken: { expirationSeconds: 3607, path: 'token' } }] },
          },
        ],
        containers: [container('shop', 8080), container('metrics', 9090)],
        restartPolicy: 'Always',
        serviceAccountName: 'default',
        securityContext: { runAsNonRoot: true, runAsUser: 1000 },
        tolerations: [{ key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute' }],
      },
      status: {},
    },
    dryRun: false,
    options: { kind: 'CreateOptions', apiVersion: 'meta.k8s.io/v1' },
  },
});

/** Builders for tests of the webhook: its configuration, pods, and AdmissionReviews. @module */
import type { Annotation, WebhookConfig } from '../../runtime/contract.ts';
import type { Pod, PodSpec } from '../../runtime/webhook/pod.ts';
import { annotations, policy } from './pods.ts';

/** One that names the agents' image itself. */
export type ConfigWithImage = WebhookConfig & { readonly agent: { readonly image: string } };

/** The webhook's configuration as a fresh installation has it. */
export function webhookConfig(overrides: Partial<ConfigWithImage> = {}): ConfigWithImage {
  return {
    ...policy(),
    caUrl: 'https://ca.step.svc',
    rootFile: '/etc/autocert/ca/root_ca.crt',
    provisioner: 'autocert',
    provisionerPasswordFile: '/etc/autocert/provisioner/password',
    autocertUrl: 'https://autocert.step.svc:4444',
    servingNames: ['autocert.step.svc', 'autocert.step.svc.cluster.local'],
    port: 4443,
    certificatePort: 4444,
    healthPort: 9402,
    agent: {
      image: 'autocert:0.1.0',
      imagePullPolicy: 'IfNotPresent',
      resources: { requests: { cpu: '10m', memory: '64Mi' }, limits: { cpu: '500m', memory: '128Mi' } },
    },
    delivery: 'auto',
    sidecar: 'auto',
    ...overrides,
  };
}

/** The pod of the tutorial's `sleep` Deployment, in namespace `default`, with these annotations besides its name. */
export function sleepPod(
  values: Partial<Record<keyof typeof Annotation, string>> = {},
  spec: Partial<PodSpec> & Record<string, unknown> = {},
): Pod & { readonly kind: string } {
  return {
    kind: 'Pod',
    metadata: {
      generateName: 'sleep-6d4f-',
      annotations: annotations({ name: 'sleep.default.svc.cluster.local', ...values }),
    },
    spec: { containers: [{ name: 'sleep', ...{ image: 'alpine', command: ['/bin/sleep', '86400'] } }], ...spec },
  };
}

/** The review that the API server posts for a pod being created. */
export function reviewOf(object: unknown, request: Record<string, unknown> = {}, apiVersion = 'admission.k8s.io/v1') {
  return {
    apiVersion,
    kind: 'AdmissionReview',
    request: {
      uid: '705ab4f5-6393-11e8-b7cc-42010a800002',
      kind: { group: '', version: 'v1', kind: 'Pod' },
      resource: { group: '', version: 'v1', resource: 'pods' },
      namespace: 'default',
      operation: 'CREATE',
      object,
      dryRun: false,
      ...request,
    },
  };
}

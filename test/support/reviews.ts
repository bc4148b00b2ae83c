/** Builders for tests of the webhook: its configuration, pods and AdmissionReviews. @module */
import type { WebhookConfig } from '../../runtime/contract.ts';
import { policy } from './pods.ts';

/** The webhook's configuration as a fresh installation has it. */
export function webhookConfig(overrides: Partial<WebhookConfig> = {}): WebhookConfig {
  return {
    ...policy(),
    caUrl: 'https://ca.step.svc',
    rootFile: '/etc/autocert/ca/root_ca.crt',
    provisioner: 'autocert',
    provisionerPasswordFile: '/etc/autocert/provisioner/password',
    autocertUrl: 'https://autocert.step.svc',
    servingNames: ['autocert.step.svc', 'autocert.step.svc.cluster.local'],
    port: 4443,
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

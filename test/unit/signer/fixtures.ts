/** Builders for the signer's tests: a request as kubelet makes it, the pod it is about, and a policy. */
import type { PolicyConfig } from '../../../runtime/contract.ts';
import { createKeyAndRequest } from '../../../runtime/x509/csr.ts';
import type { LivePod } from '../../../runtime/signer/judge-request.ts';
import type { PodCertificateRequest } from '../../../runtime/signer/pod-certificate-request.ts';

export const POLICY: PolicyConfig = {
  clusterDomain: 'cluster.local',
  defaultDuration: '24h',
  minDuration: '5m',
  maxDuration: '48h',
  namespaces: {},
};

export const { csrPem: CSR_PEM, fingerprint: CSR_FINGERPRINT } = await createKeyAndRequest();

/** DER, base64: `spec.stubPKCS10Request`. */
export const STUB = CSR_PEM.replace(/-----[A-Z ]+-----|\s/g, '');

export function requestOf(spec: Partial<PodCertificateRequest['spec']> = {}, uid = 'request-1'): PodCertificateRequest {
  return {
    metadata: {
      namespace: 'shop',
      name: `req-${uid}`,
      uid,
      resourceVersion: '10',
      creationTimestamp: '2026-01-01T12:00:00Z',
    },
    spec: {
      signerName: 'autocert.step.sm/workload',
      podName: 'cart',
      podUID: 'pod-1',
      serviceAccountName: 'default',
      nodeName: 'node-1',
      maxExpirationSeconds: 86_460,
      stubPKCS10Request: STUB,
      ...spec,
    },
  };
}

export function podOf(
  annotations: Readonly<Record<string, string>> = { 'autocert.step.sm/name': 'cart.shop.svc' },
  changes: { metadata?: Partial<LivePod['metadata']>; spec?: Partial<LivePod['spec']> } = {},
): LivePod {
  return {
    metadata: { uid: 'pod-1', annotations, ...changes.metadata },
    spec: {
      nodeName: 'node-1',
      serviceAccountName: 'default',
      volumes: [{}, { projected: { sources: [{ podCertificate: { signerName: 'autocert.step.sm/workload' } }] } }],
      ...changes.spec,
    },
  };
}

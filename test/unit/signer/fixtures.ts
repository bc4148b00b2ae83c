/** Builders for the signer's tests: a request as kubelet makes it, the pod it is about, and a policy. */
import type { V1ObjectMeta, V1Pod, V1PodSpec } from '@kubernetes/client-node';
import type { PolicyConfig } from '../../../runtime/contract.ts';
import type { Log } from '../../../runtime/lib/log.ts';
import { type PodCertificateRequest, Work } from '../../../runtime/signer/pod-certificate-request.ts';
import { createKeyAndRequest } from '../../../runtime/x509/csr.ts';

export const NOON = new Date('2026-01-01T12:00:00Z');
export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;

export const POLICY: PolicyConfig = {
  namespace: 'step',
  clusterDomain: 'cluster.local',
  reservedNames: [],
  defaultDuration: '24h',
  minDuration: '5m',
  maxDuration: '48h',
  excludedNamespaces: ['kube-system'],
  namespaces: {},
};

export const noLog: Log = { info: () => undefined, warn: () => undefined, error: () => undefined };

export const { csrPem: CSR_PEM, fingerprint: CSR_FINGERPRINT } = await createKeyAndRequest();

/** DER, base64: `spec.stubPKCS10Request`. */
export const STUB = stubOf(CSR_PEM);
/** Another pod's. */
export const OTHER_STUB = stubOf((await createKeyAndRequest()).csrPem);

function stubOf(csrPem: string): string {
  return csrPem.replace(/-----[A-Z ]+-----|\s/g, '');
}

/** Made at noon. */
export function requestOf(
  spec: Partial<PodCertificateRequest['spec']> = {},
  uid = 'request-1',
  metadata: Partial<PodCertificateRequest['metadata']> = {},
): PodCertificateRequest {
  return {
    metadata: {
      namespace: 'shop',
      name: `req-${uid}`,
      uid,
      resourceVersion: '10',
      creationTimestamp: '2026-01-01T12:00:00Z',
      ...metadata,
    },
    spec: {
      signerName: 'autocert.step.sm/workload',
      podName: 'cart',
      podUID: 'pod-1',
      serviceAccountName: 'default',
      serviceAccountUID: 'account-1',
      nodeName: 'node-1',
      nodeUID: 'node-uid-1',
      maxExpirationSeconds: 86_460,
      stubPKCS10Request: STUB,
      ...spec,
    },
  };
}

/** {@link requestOf} as the watch brings it, at noon and the monotonic time 0. */
export function workOf(request = requestOf()): Work {
  return new Work(request, true, { monotonic: 0, now: NOON });
}

export function podOf(
  annotations: Record<string, string> = { 'autocert.step.sm/name': 'cart.shop.svc' },
  changes: { metadata?: Partial<V1ObjectMeta>; spec?: Partial<V1PodSpec> } = {},
): V1Pod {
  return {
    metadata: { uid: 'pod-1', annotations, ...changes.metadata },
    spec: {
      containers: [],
      nodeName: 'node-1',
      serviceAccountName: 'default',
      volumes: [
        { name: 'data' },
        {
          name: 'autocert-certs',
          projected: {
            sources: [{ podCertificate: { signerName: 'autocert.step.sm/workload', keyType: 'ECDSAP256' } }],
          },
        },
      ],
      ...changes.spec,
    },
  };
}

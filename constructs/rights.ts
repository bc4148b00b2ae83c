/**
 * What webhook and signer may ask of the API server, and no more.
 * @module
 */
import type { k8s } from 'cdk8s-plus-27';
import { RENEWALS_CONFIG_MAP, SIGNER_NAME, TRUST_BUNDLE_NAME } from '../runtime/contract.ts';

const CERTIFICATES = ['certificates.k8s.io'];
const LEASES = { apiGroups: ['coordination.k8s.io'], resources: ['leases'] };

/** To read the pod that asks, and to tell its author by an Event why it gets nothing. */
const PODS: readonly k8s.PolicyRule[] = [
  { apiGroups: [''], resources: ['pods', 'namespaces'], verbs: ['get'] },
  { apiGroups: [''], resources: ['events'], verbs: ['create'] },
];

/** Of the webhook: who sent a token, which pod that is, and which certificates are to be replaced. */
export const WEBHOOK_RIGHTS = {
  cluster: [{ apiGroups: ['authentication.k8s.io'], resources: ['tokenreviews'], verbs: ['create'] }, ...PODS],
  namespace: [{ apiGroups: [''], resources: ['configmaps'], resourceNames: [RENEWALS_CONFIG_MAP], verbs: ['get'] }],
} satisfies Rights;

/**
 * Of the signer, whose Lease has the name `lease`, and which keeps the `caBundle` of the MutatingWebhookConfiguration
 * `webhookConfiguration`, if there is one.
 */
export function signerRights(lease: string, webhookConfiguration?: string): Rights {
  const caBundle: readonly k8s.PolicyRule[] =
    webhookConfiguration === undefined
      ? []
      : [
          {
            apiGroups: ['admissionregistration.k8s.io'],
            resources: ['mutatingwebhookconfigurations'],
            resourceNames: [webhookConfiguration],
            verbs: ['get', 'patch'],
          },
        ];
  return {
    cluster: [
      { apiGroups: CERTIFICATES, resources: ['podcertificaterequests'], verbs: ['list', 'watch'] },
      { apiGroups: CERTIFICATES, resources: ['podcertificaterequests/status'], verbs: ['update'] },
      // Two rights that the API server asks for beyond those on the objects: to answer for this signer, and to publish
      // its roots.
      { apiGroups: CERTIFICATES, resources: ['signers'], resourceNames: [SIGNER_NAME], verbs: ['sign', 'attest'] },
      {
        apiGroups: CERTIFICATES,
        resources: ['clustertrustbundles'],
        resourceNames: [TRUST_BUNDLE_NAME],
        // It applies, so the name is known before the object is, and even `create` can be tied to it.
        verbs: ['create', 'patch'],
      },
      ...caBundle,
      ...PODS,
      // To count the pods that want a certificate and were started without; it asks for their metadata only.
      { apiGroups: [''], resources: ['pods', 'namespaces'], verbs: ['list'] },
    ],
    namespace: [
      // The API cannot tie `create` to names: what it creates has none yet.
      { ...LEASES, verbs: ['create'] },
      { ...LEASES, resourceNames: [lease], verbs: ['get', 'update'] },
    ],
  };
}

/** Rules of a ClusterRole, and of a Role in Autocert's namespace. */
export interface Rights {
  readonly cluster: readonly k8s.PolicyRule[];
  readonly namespace: readonly k8s.PolicyRule[];
}

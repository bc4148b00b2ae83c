/**
 * What each account may ask of the API server, and no more. Policies limit it further where RBAC cannot: `signer-limits.ts`
 * and `pki-limits.ts`.
 * @module
 */
import type { k8s } from 'cdk8s-plus-27';
import { PKI_DRAFT, PkiObject, RENEWALS_CONFIG_MAP } from '../runtime/contract.ts';
import { signerName, trustBundleName } from '../runtime/policy/cluster-names.ts';

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
 * Of the signer in `namespace`, whose Lease has the name `lease`, and which keeps the `caBundle` of the MutatingWebhookConfiguration
 * `webhookConfiguration`, if there is one.
 */
export function signerRights(namespace: string, lease: string, webhookConfiguration?: string): Rights {
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
      {
        apiGroups: CERTIFICATES,
        resources: ['signers'],
        resourceNames: [signerName(namespace)],
        verbs: ['sign', 'attest'],
      },
      {
        apiGroups: CERTIFICATES,
        resources: ['clustertrustbundles'],
        resourceNames: [trustBundleName(namespace)],
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

const named = (resource: 'secrets' | 'configmaps', resourceNames: string[], ...verbs: string[]): k8s.PolicyRule => {
  return { apiGroups: [''], resources: [resource], resourceNames, verbs };
};
/** The API cannot tie `create` to names: what it creates has none yet. The policy of `pki-limits.ts` does. */
const CREATE: k8s.PolicyRule = { apiGroups: [''], resources: ['configmaps', 'secrets'], verbs: ['create'] };
const { certificates, rootKey, intermediateKey, ...others } = PkiObject;

/** Of the Job, in its namespace: to make a PKI, and to read nothing of it but what is public. */
export const INIT_RIGHTS: readonly k8s.PolicyRule[] = [
  CREATE,
  named('configmaps', [certificates], 'get'),
  // There only while it makes one.
  named('secrets', [PKI_DRAFT], 'get', 'update', 'delete'),
];

/** Of the CronJob, in its namespace: to heal a PKI, and to sign an intermediate. */
export const UPKEEP_RIGHTS: readonly k8s.PolicyRule[] = [
  CREATE,
  named('configmaps', [certificates], 'get', 'update'),
  named('secrets', [rootKey, intermediateKey], 'get', 'update'),
  // Passwords and provisioners are made once; only people replace them.
  named('secrets', Object.values(others), 'get'),
];

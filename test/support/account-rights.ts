/**
 * What each of Autocert's accounts may do, in words such as `get secrets/ca-draft`: the list by which the manifests are
 * judged, and what the API server says of each account.
 * @module
 */
import type { PolicyRule } from './manifests.ts';

/** Rights that hold in all namespaces and for objects of the cluster, and those in Autocert's namespace alone. */
export interface AccountRights {
  readonly everywhere: readonly string[];
  readonly inNamespace: readonly string[];
}

const pkiObjects = ['ca-certs', 'ca-root-key', 'ca-intermediate-key'] as const;

/** By account. Whoever adds a right adds it here, and says in the commit message what for. */
export const ACCOUNT_RIGHTS: Readonly<Record<string, AccountRights>> = {
  ca: { everywhere: [], inNamespace: [] },
  'autocert-init': {
    everywhere: [],
    inNamespace: [
      'create configmaps',
      'create secrets',
      'get configmaps/ca-certs',
      ...['get', 'update', 'delete'].map((verb) => `${verb} secrets/ca-draft`),
    ],
  },
  'autocert-pki': {
    everywhere: [],
    inNamespace: [
      'create configmaps',
      'create secrets',
      ...['get', 'update'].flatMap((verb) =>
        pkiObjects.map((name) => `${verb} ${name === 'ca-certs' ? 'configmaps' : 'secrets'}/${name}`),
      ),
      ...['ca-provisioners', 'ca-password', 'autocert-password', 'ca-next-root'].map((name) => `get secrets/${name}`),
    ],
  },
  autocert: {
    everywhere: ['create tokenreviews.authentication.k8s.io', 'get pods', 'get namespaces', 'create events'],
    inNamespace: ['get configmaps/autocert-renewals'],
  },
  'autocert-signer': {
    everywhere: [
      'list podcertificaterequests.certificates.k8s.io',
      'watch podcertificaterequests.certificates.k8s.io',
      'update podcertificaterequests/status.certificates.k8s.io',
      'sign signers.certificates.k8s.io/autocert.step.sm/workload',
      'attest signers.certificates.k8s.io/autocert.step.sm/workload',
      'create clustertrustbundles.certificates.k8s.io/autocert.step.sm:workload:root',
      'patch clustertrustbundles.certificates.k8s.io/autocert.step.sm:workload:root',
      'get mutatingwebhookconfigurations.admissionregistration.k8s.io/autocert',
      'patch mutatingwebhookconfigurations.admissionregistration.k8s.io/autocert',
      ...['pods', 'namespaces'].flatMap((kind) => [`get ${kind}`, `list ${kind}`]),
      'create events',
    ],
    inNamespace: [
      'create leases.coordination.k8s.io',
      'get leases.coordination.k8s.io/autocert-signer',
      'update leases.coordination.k8s.io/autocert-signer',
    ],
  },
};

/** Rules in these words, each once, sorted. */
export function rightsIn(rules: readonly PolicyRule[]): readonly string[] {
  const words = rules.flatMap(({ verbs, resources, apiGroups, resourceNames }) =>
    verbs.flatMap((verb) =>
      apiGroups.flatMap((group) =>
        resources.flatMap((resource) =>
          (resourceNames?.length ? resourceNames : ['']).map(
            (name) => `${verb} ${resource}${group && `.${group}`}${name && `/${name}`}`,
          ),
        ),
      ),
    ),
  );
  return [...new Set(words)].sort();
}

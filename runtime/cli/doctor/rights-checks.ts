/**
 * Checks of RBAC: what webhook and signer need, and whether the roles that are meant for them still give it.
 * @module
 */
import type { V1PolicyRule } from '@kubernetes/client-node';
import type { Account, Binding, Facts } from './facts.ts';
import type { Check, Found } from './finding.ts';
import { hasSigner, hasWebhook } from './ours.ts';

/** `verb resource.group`, such as `create tokenreviews.authentication.k8s.io`; without a group: the core's. */
type Right = `${string} ${string}`;

/** What an account needs. */
export interface Needed {
  readonly cluster: readonly Right[];
  readonly namespaced: readonly Right[];
  /** In the cluster, too, where there is a webhook. */
  readonly forWebhook?: readonly Right[];
}

const PODS_AND_NAMESPACES: readonly Right[] = ['get pods', 'get namespaces', 'create events'];

/** By account. */
export const NEEDED: Readonly<Record<'autocert' | 'autocert-signer', Needed>> = {
  autocert: {
    cluster: ['create tokenreviews.authentication.k8s.io', ...PODS_AND_NAMESPACES],
    namespaced: ['get configmaps'],
  },
  'autocert-signer': {
    cluster: [
      'list podcertificaterequests.certificates.k8s.io',
      'watch podcertificaterequests.certificates.k8s.io',
      'update podcertificaterequests/status.certificates.k8s.io',
      'sign signers.certificates.k8s.io',
      'attest signers.certificates.k8s.io',
      'create clustertrustbundles.certificates.k8s.io',
      'patch clustertrustbundles.certificates.k8s.io',
      ...PODS_AND_NAMESPACES,
      'list pods',
      'list namespaces',
    ],
    forWebhook: [
      'get mutatingwebhookconfigurations.admissionregistration.k8s.io',
      'patch mutatingwebhookconfigurations.admissionregistration.k8s.io',
    ],
    namespaced: [
      'create leases.coordination.k8s.io',
      'get leases.coordination.k8s.io',
      'update leases.coordination.k8s.io',
    ],
  },
};

/** The checks. */
export const rightsChecks: readonly Check[] = [
  {
    id: 'rbac',
    looksAt: 'roles and bindings of webhook and signer',
    find: (facts) => {
      const wanted = { autocert: hasWebhook(facts), 'autocert-signer': hasSigner(facts) };
      return facts.accounts.flatMap((account) => {
        const name = account.name as keyof typeof NEEDED;
        return wanted[name] ? missing(facts, account, NEEDED[name]) : [];
      });
    },
  },
];

function missing(facts: Facts, { name, cluster, namespaced }: Account, needed: Needed): Found[] {
  const { namespace } = facts;
  const inCluster = [...needed.cluster, ...(hasWebhook(facts) ? (needed.forWebhook ?? []) : [])];
  return [
    ...problems(cluster, inCluster, name, namespace),
    ...problems(namespaced, needed.namespaced, name, namespace),
  ];
}

function problems(
  { objects, role, binding }: Binding,
  needed: readonly Right[],
  account: string,
  namespace: string,
): Found[] {
  const whose = `serviceaccount ${account}`;
  const remedy = 'apply the manifests again: kubectl apply -f dist/';
  const found: Found[] = [];
  const isBound = (subjects: NonNullable<typeof binding>['subjects']) =>
    subjects.some((one) => one.kind === 'ServiceAccount' && one.name === account && one.namespace === namespace);
  if (role === null)
    found.push({ object: objects.role, message: `it is not there: ${whose} lacks its rights`, remedy });
  if (binding === null) {
    found.push({ object: objects.binding, message: `it is not there: ${whose} lacks its rights`, remedy });
  } else if (binding && (!isBound(binding.subjects) || !objects.role.endsWith(`/${binding.roleRef.name}`))) {
    const message = `it does not bind ${whose} of namespace ${namespace} to ${objects.role}`;
    // The role of a binding cannot be changed.
    found.push({ object: objects.binding, message, remedy: `delete it, and ${remedy}` });
  }
  const lacking = role ? needed.filter((right) => !isGranted(right, role)) : [];
  if (lacking.length > 0) {
    found.push({ object: objects.role, message: `it does not let ${whose} ${lacking.join(', ')}`, remedy });
  }
  return found;
}

/** Whether a rule gives a right, be it for objects of some names only. */
export function isGranted(right: Right, rules: readonly V1PolicyRule[]): boolean {
  const [verb = '', what = ''] = right.split(' ');
  const [resource = '', ...group] = what.split('.');
  const has = (list: readonly string[] | undefined, word: string) => list?.includes(word) || list?.includes('*');
  return rules.some(
    ({ apiGroups, resources, verbs }) =>
      has(apiGroups, group.join('.')) && has(resources, resource) && has(verbs, verb),
  );
}

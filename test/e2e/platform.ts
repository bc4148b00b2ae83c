/**
 * What OpenShift does with pods under the SecurityContextConstraint `restricted-v2`, as admission policies: a pod that names
 * no user gets one of its namespace's range, with its group as `fsGroup`; one that names another is refused.
 * @module
 */
import { SYSTEM } from '../../scripts/cluster/installation.ts';

/** Namespace with a CA and an app of its own. */
export const PLATFORM_NAMESPACE = 'e2e-platform';

/** A uid as OpenShift gives them. */
export const PLATFORM_USER = 1_000_680_000;

const NAME = 'e2e-platform';
const API_VERSION = 'admissionregistration.k8s.io/v1';

const matchConstraints = {
  namespaceSelector: {
    matchExpressions: [{ key: 'kubernetes.io/metadata.name', operator: 'In', values: [PLATFORM_NAMESPACE, SYSTEM] }],
  },
  resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] }],
};
/** In Autocert's namespace, where the CA's volume belongs to another user, webhook and signer only. */
const matchConditions = [
  {
    name: 'is-assigned',
    expression: `request.namespace != "${SYSTEM}" || object.metadata.?labels.?app.orValue("") in ["autocert", "autocert-signer"]`,
  },
];

function assign(list: 'initContainers' | 'containers'): string {
  const path = `"/spec/${list}/" + string(index) + "/securityContext`;
  return `object.spec.?${list}.orValue([]).transformList(index, container, !container.?securityContext.?runAsUser.hasValue(),
    container.?securityContext.hasValue()
      ? JSONPatch{op: "add", path: ${path}/runAsUser", value: ${PLATFORM_USER}}
      : JSONPatch{op: "add", path: ${path}", value: Object.spec.${list}.securityContext{runAsUser: ${PLATFORM_USER}}}
  )`;
}

const GROUP = `object.spec.?securityContext.?fsGroup.hasValue() ? [] : [JSONPatch{op: "add", path: "/spec/securityContext/fsGroup", value: ${PLATFORM_USER}}]`;
const all = (condition: string) =>
  `(object.spec.?initContainers.orValue([]) + object.spec.containers).all(container, ${condition})`;

/** The policies and their bindings. */
export const PLATFORM_POLICIES: readonly object[] = [
  {
    apiVersion: API_VERSION,
    kind: 'MutatingAdmissionPolicy',
    metadata: { name: NAME },
    spec: {
      failurePolicy: 'Fail',
      reinvocationPolicy: 'IfNeeded', // for the agent, which a webhook adds
      matchConstraints,
      matchConditions,
      mutations: [GROUP, assign('initContainers'), assign('containers')].map((expression) => ({
        patchType: 'JSONPatch',
        jsonPatch: { expression },
      })),
    },
  },
  {
    apiVersion: API_VERSION,
    kind: 'MutatingAdmissionPolicyBinding',
    metadata: { name: NAME },
    spec: { policyName: NAME },
  },
  {
    apiVersion: API_VERSION,
    kind: 'ValidatingAdmissionPolicy',
    metadata: { name: NAME },
    spec: {
      failurePolicy: 'Fail',
      matchConstraints,
      matchConditions,
      validations: [
        { expression: all(`container.?securityContext.?runAsUser.orValue(0) == ${PLATFORM_USER}`) },
        { expression: all('container.?securityContext.?runAsGroup.orValue(0) == 0') },
        { expression: `object.spec.?securityContext.?fsGroup.orValue(0) == ${PLATFORM_USER}` },
        { expression: 'object.spec.?securityContext.?runAsGroup.orValue(0) == 0' },
        {
          expression: all(
            'container.?securityContext.?capabilities.?add.orValue([]).all(one, one == "NET_BIND_SERVICE")',
          ),
        },
      ],
    },
  },
  {
    apiVersion: API_VERSION,
    kind: 'ValidatingAdmissionPolicyBinding',
    metadata: { name: NAME },
    spec: { policyName: NAME, validationActions: ['Deny'] },
  },
];

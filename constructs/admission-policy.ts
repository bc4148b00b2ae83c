/**
 * A ValidatingAdmissionPolicy with its binding (Kubernetes 1.30 and later).
 * @module
 */
import { ApiObject } from 'cdk8s';
import type { Construct } from 'constructs';
import { celList } from './cel.ts';
import { metadata } from './objects.ts';

const API_VERSION = 'admissionregistration.k8s.io/v1';

/** What a policy is asked about; what the API server would add by itself is written out, see `policy-scope.ts`. */
export interface ResourceRule {
  readonly apiGroups: readonly string[];
  readonly operations: readonly ('CREATE' | 'UPDATE' | 'DELETE')[];
  readonly resources: readonly string[];
}

/** What the policy is made from. */
export interface AdmissionPolicyInput {
  /** Name of policy and binding. */
  readonly name: string;
  /** Of both. @default - none */
  readonly annotations?: Readonly<Record<string, string>>;
  /** The one namespace whose objects it is asked about, besides those of the cluster. @default - all */
  readonly namespace?: string;
  readonly rules: readonly ResourceRule[];
  /** CEL, by name: all must hold, else the policy says nothing. */
  readonly conditions: Readonly<Record<string, string>>;
  /** CEL, by name, for the validations. @default - none */
  readonly variables?: Readonly<Record<string, string>>;
  readonly validations: readonly {
    readonly expression: string;
    readonly messageExpression?: string;
    readonly message: string;
    readonly reason: 'Forbidden' | 'Invalid';
  }[];
}

const named = (expressions: Readonly<Record<string, string>>) =>
  Object.entries(expressions).map(([name, expression]) => ({ name, expression }));

/** Makes policy (`Resource`) and binding in `scope`. */
export function addAdmissionPolicy(scope: Construct, input: AdmissionPolicyInput): void {
  const { name, annotations, namespace, rules, conditions, variables = {}, validations } = input;
  const described = { ...metadata(name), ...(annotations && { annotations }) };
  new ApiObject(scope, 'Resource', {
    apiVersion: API_VERSION,
    kind: 'ValidatingAdmissionPolicy',
    metadata: described,
    spec: {
      failurePolicy: 'Fail',
      matchConstraints: {
        matchPolicy: 'Equivalent',
        namespaceSelector: namespace === undefined ? {} : { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
        objectSelector: {},
        resourceRules: rules.map((rule) => ({ ...rule, apiVersions: ['v1'], scope: '*' })),
      },
      matchConditions: named(conditions),
      ...(Object.keys(variables).length > 0 && { variables: named(variables) }),
      validations,
    },
  });
  new ApiObject(scope, 'Binding', {
    apiVersion: API_VERSION,
    kind: 'ValidatingAdmissionPolicyBinding',
    metadata: described,
    // Always: these policies protect others, in report mode of the admission of pods as well.
    spec: { policyName: name, validationActions: ['Deny'] },
  });
}

/** CEL: the request comes from one of these ServiceAccounts. */
export function celIsAccount(namespace: string, ...accounts: readonly string[]): string {
  return `request.userInfo.username in ${celList(accounts.map((name) => `system:serviceaccount:${namespace}:${name}`))}`;
}

/** CEL: two maps are the same but for some keys; `key` names the variable, and must be another in nested expressions. */
export function celSameBut(one: string, other: string, but: readonly string[], key = 'key'): string {
  const isFree = but.length === 0 ? '' : `${key} in ${celList(but)} || `;
  return (
    `(${one}.all(${key}, ${isFree}(${key} in ${other} && ${other}[${key}] == ${one}[${key}])) && ` +
    `${other}.all(${key}, ${isFree}${key} in ${one}))`
  );
}

/**
 * Says no where the author still looks: a ValidatingAdmissionPolicy (Kubernetes 1.30 and later) on Deployments,
 * StatefulSets, DaemonSets, Jobs and CronJobs, so that a name is refused at `kubectl apply` of the Deployment and not in
 * the events of a ReplicaSet. With the policy injector it is what judges pods, too.
 *
 * It is a courtesy: names are judged again, with no way around it, by the certificate endpoint and by the signer
 * (`runtime/policy/certificate-spec.ts`, whose rules these are). Where CEL cannot say the same, it is the more lenient one.
 * @module
 */
import { ApiObject, Lazy } from 'cdk8s';
import { Construct } from 'constructs';
import {
  type AdmissionMode,
  Annotation,
  CERTIFICATE_DIR,
  ContainerName,
  DELIVERIES,
  type PolicyConfig,
  VolumeName,
} from '../runtime/contract.ts';
import { MAX_ANNOTATIONS } from '../runtime/policy/annotations.ts';
import { MAX_ID } from '../runtime/policy/certificate-spec.ts';
import { clusterName } from '../runtime/policy/cluster-names.ts';
import { MAX_SANS } from '../runtime/policy/lifetimes.ts';
import { MOUNT_AT_FILES } from '../runtime/policy/mount-path.ts';
import { RESERVED } from '../runtime/policy/name-policy.ts';
import { clusterZones } from '../runtime/policy/own-names.ts';
import { ANNOTATION_PREFIX, CEL_NAMESPACE, celIsDuration, celList, celLongest, celText } from './cel.ts';
import { celNames } from './cel-names.ts';
import { metadata } from './objects.ts';
import { matchConstraints } from './policy-scope.ts';
import {
  annotation,
  invalid,
  nativeValidations,
  shown,
  type Validation,
  WITHOUT_SIGNER,
} from './policy-validations.ts';

/** Properties of {@link ValidationPolicy}. */
export interface ValidationPolicyProps {
  /** Asked at synth, when all namespaces are known. */
  readonly policy: () => PolicyConfig;
  /**
   * Whether pods are injected by the policy: then it judges pods as well, and refuses what native delivery cannot do.
   * @default false
   */
  readonly policyInjector?: boolean;
  /** Whether natively delivered certificates can be had: a signer runs. @default true */
  readonly nativeDelivery?: boolean;
  /** Whether it refuses what is wrong, or only warns of it. @default 'enforce' */
  readonly mode?: AdmissionMode;
  /** Name of policy and binding. @default - `autocert`, with the namespace if that is not `step` */
  readonly name?: string;
}

/** What the API server does where a validation fails. */
const ACTIONS: Readonly<Record<AdmissionMode, readonly string[]>> = { enforce: ['Deny'], report: ['Warn', 'Audit'] };

const API_VERSION = 'admissionregistration.k8s.io/v1';
const WORKLOADS = [
  { apiGroups: ['apps'], resources: ['deployments', 'statefulsets', 'daemonsets'] },
  { apiGroups: ['batch'], resources: ['jobs', 'cronjobs'] },
] as const;

/** The policy and its binding. */
export class ValidationPolicy extends Construct {
  /** Makes both. */
  constructor(scope: Construct, id: string, props: ValidationPolicyProps) {
    super(scope, id);
    const {
      name = clusterName('autocert', props.policy().namespace),
      policyInjector = false,
      nativeDelivery = true,
      mode = 'enforce',
    } = props;
    const resourceRules = WORKLOADS.map((rule) => ({
      ...rule,
      apiVersions: ['v1'],
      operations: ['CREATE', 'UPDATE'],
      scope: '*',
    }));
    const pods = { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'], scope: '*' };
    new ApiObject(this, 'Resource', {
      apiVersion: API_VERSION,
      kind: 'ValidatingAdmissionPolicy',
      metadata: metadata(name),
      spec: {
        failurePolicy: 'Fail',
        matchConstraints: matchConstraints(props.policy, policyInjector ? [pods, ...resourceRules] : resourceRules),
        matchConditions: [
          {
            name: 'asks-for-a-certificate',
            expression: `${templateOf('object')}.?metadata.?annotations[?${celText(Annotation.name)}].orValue("") != ""`,
          },
          {
            // Else the deletion of what was there before this policy could not finish: controllers write to it.
            name: 'asks-for-another-than-before',
            expression: `request.operation == "CREATE" || ${templateOf('object')}.?metadata.?annotations.orValue({}) != ${templateOf('oldObject')}.?metadata.?annotations.orValue({})`,
          },
        ],
        variables: Lazy.any({ produce: () => variablesOf(props.policy()) }),
        validations: Lazy.any({
          produce: () => [
            ...validationsOf(props.policy()),
            ...(policyInjector ? nativeValidations(props.policy()) : []),
            ...(nativeDelivery ? [] : [WITHOUT_SIGNER]),
          ],
        }),
      },
    });
    new ApiObject(this, 'Binding', {
      apiVersion: API_VERSION,
      kind: 'ValidatingAdmissionPolicyBinding',
      metadata: metadata(name),
      spec: { policyName: name, validationActions: ACTIONS[mode] },
    });
  }
}

/** The pod, or the pod template, as an optional. `dyn`: one expression for several types of object. */
function templateOf(object: string): string {
  return (
    `(request.kind.kind == "Pod" ? optional.of(dyn(${object})) : ` +
    `request.kind.kind == "CronJob" ? dyn(${object}).?spec.?jobTemplate.?spec.?template : dyn(${object}).?spec.?template)`
  );
}

const isMounted = `(${['mount.name in variables.ownVolumes', `mount.mountPath.matches(${celText(MOUNT_AT_FILES)})`].join(' || ')})`;
const isOurMount = `(variables.isPod && mount.name == ${celText(VolumeName.certificates)} && mount.mountPath == ${celText(CERTIFICATE_DIR)})`;

function variablesOf(policy: PolicyConfig): readonly { name: string; expression: string }[] {
  const names = celNames(policy);
  return Object.entries({
    isPod: 'request.kind.kind == "Pod"',
    annotations: `${templateOf('object')}.?metadata.?annotations.orValue({})`,
    spec: `${templateOf('object')}.?spec.orValue({})`,
    containers: 'variables.spec.?initContainers.orValue([]) + variables.spec.?containers.orValue([])',
    ownVolumes: celList(Object.values(VolumeName)),
    // Too many are refused anyway, and a long list must not use up what CEL may cost.
    unknown: `variables.annotations.size() > ${MAX_ANNOTATIONS} ? [] : variables.annotations.filter(key, key.startsWith(${celText(ANNOTATION_PREFIX)}) && !(key in ${celList(Object.values(Annotation))}))`,
    name: annotation(Annotation.name),
    sansText: `string(${annotation(Annotation.sans)}).trim()`,
    sans: 'variables.sansText == "" ? [] : variables.sansText.split(",").map(name, name.trim())',
    ...names.variables,
    refused: `(variables.sans.size() > ${MAX_SANS} ? [] : variables.sans).filter(name, !(${names.allowed}))`,
    nameRefused: `[string(variables.name)].filter(name, !(${names.allowed}))`,
    why: `(variables.nameRefused + variables.refused).map(name, ${names.reserved} ? ${celText(` ${RESERVED}`)} : ${names.bound} ? " is bound to other service accounts than " + variables.account : ${hint(policy)})`,
    duration: annotation(Annotation.duration),
    longest: celLongest(policy),
  }).map(([name, expression]) => ({ name, expression }));
}

/** What is allowed, an expression. */
function hint({ clusterDomain }: PolicyConfig): string {
  const own = clusterZones(clusterDomain).map((zone) => ` *." + ${CEL_NAMESPACE} + ".${zone}`);
  return `" is not allowed to pods of namespace " + ${CEL_NAMESPACE} + ":${own}" + (variables.shortNames ? ", <service>." + ${CEL_NAMESPACE} : "") + " and the allowedNames of its AutocertNamespace are"`;
}

function oneOf(key: string, words: readonly string[]): Validation {
  return invalid(key, `${annotation(key)} in ${celList(['', ...words])}`, `is none of ${words.join(', ')}`);
}

function validationsOf(policy: PolicyConfig): readonly Validation[] {
  const known = Object.values(Annotation).join(', ');
  const forbidden = { message: 'a name is not allowed to pods of this namespace', reason: 'Forbidden' } as const;
  return [
    {
      expression: `variables.annotations.size() <= ${MAX_ANNOTATIONS}`,
      messageExpression: `"the pod has " + string(variables.annotations.size()) + " annotations, and one with a certificate may have ${MAX_ANNOTATIONS}: remove some"`,
      message: `the pod has more than ${MAX_ANNOTATIONS} annotations`,
      reason: 'Invalid',
    },
    {
      expression: 'variables.unknown.size() == 0',
      messageExpression: `${shown('variables.unknown[0]')} + ${celText(` is not an annotation that Autocert knows: ${known}`)}`,
      message: `an annotation is none that Autocert knows: ${known}`,
      reason: 'Invalid',
    },
    {
      expression: 'variables.nameRefused.size() == 0',
      messageExpression: `${celText(`${Annotation.name}: `)} + ${shown('variables.name')} + variables.why[0]`,
      ...forbidden,
    },
    {
      expression: 'variables.refused.size() == 0',
      // The reasons of the name come first.
      messageExpression: `${celText(`${Annotation.sans}: `)} + ${shown('variables.refused[0]')} + variables.why[variables.nameRefused.size()]`,
      ...forbidden,
    },
    invalid(Annotation.sans, `variables.sans.size() <= ${MAX_SANS}`, `are more than ${MAX_SANS} names`),
    invalid(
      Annotation.sans,
      `variables.sans.size() > ${MAX_SANS} || variables.sans.all(name, variables.sans.exists_one(other, other == name))`,
      'has a name twice',
    ),
    invalid(
      Annotation.duration,
      `variables.duration == "" || (${celIsDuration('variables.duration')} && duration(variables.duration) >= duration(${celText(policy.minDuration)}) && duration(variables.duration) <= variables.longest)`,
      `is not a duration, such as 90m or 1h30m, between ${policy.minDuration} and what this namespace may have (${policy.maxDuration} at most)`,
    ),
    invalid(
      Annotation.owner,
      `${annotation(Annotation.owner)} == "" || (${annotation(Annotation.owner)}.matches("^[0-9]{1,10}:[0-9]{1,10}$") && ${annotation(Annotation.owner)}.split(":").all(id, int(id) <= ${MAX_ID}))`,
      'is not uid:gid in numbers, such as 999:999',
    ),
    invalid(
      Annotation.mode,
      `${annotation(Annotation.mode)}.matches("^(0?[4-7][0-7]{2})?$")`,
      'is not a file mode of three octal digits that lets the owner read, such as 0600',
    ),
    oneOf(Annotation.initFirst, ['true', 'false']),
    oneOf(Annotation.bootstrapperOnly, ['true', 'false']),
    oneOf(Annotation.delivery, DELIVERIES),
    ...conflictValidations(),
  ];
}

function conflictValidations(): readonly Validation[] {
  const names = celList(Object.values(ContainerName));
  const volume = `variables.spec.?volumes.orValue([]).filter(volume, volume.name in variables.ownVolumes && !(variables.isPod && volume.name == ${celText(VolumeName.certificates)}))`;
  const container = `variables.containers.filter(container, container.name in ${names})`;
  const mounting = `variables.containers.filter(container, container.?volumeMounts.orValue([]).exists(mount, ${isMounted} && !${isOurMount}))`;
  const conflict = (list: string, kind: string, advice: string): Validation => ({
    expression: `${list}.size() == 0`,
    messageExpression: `${celText(`${kind} `)} + ${shown(`${list}[0].name`)} + ${celText(` ${advice}`)}`,
    message: `a ${kind} ${advice}`,
    reason: 'Invalid',
  });
  return [
    conflict(volume, 'volume', "is Autocert's: give yours another name"),
    conflict(container, 'container', "is Autocert's: give yours another name"),
    conflict(
      mounting,
      'container',
      `mounts something at ${CERTIFICATE_DIR}, where Autocert mounts its files: mount yours elsewhere`,
    ),
  ];
}

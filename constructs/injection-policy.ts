/**
 * Injection without a webhook: a MutatingAdmissionPolicy, which the API server (Kubernetes 1.37 and later) evaluates
 * itself. It makes the pods that `runtime/webhook/native-patch.ts` makes, whose header has the rules.
 *
 * What is wrong with a pod is said by the {@link ValidationPolicy}, which the API server asks afterwards; so where an
 * annotation makes no sense, this policy goes on with the default rather than fail in the words of CEL.
 * @module
 */
import { ApiObject, Lazy } from 'cdk8s';
import { Construct } from 'constructs';
import {
  Annotation,
  CERTIFICATE_DIR,
  CertificateFile,
  type PolicyConfig,
  STATUS_INJECTED,
  VolumeName,
} from '../runtime/contract.ts';
import { clusterName, signerName } from '../runtime/policy/cluster-names.ts';
import { POD_CERTIFICATE } from '../runtime/policy/lifetimes.ts';
import { celIsDuration, celLongest, celText } from './cel.ts';
import { metadata } from './objects.ts';
import { matchConstraints } from './policy-scope.ts';

/** Properties of {@link InjectionPolicy}. */
export interface InjectionPolicyProps {
  /** Asked at synth, when all namespaces are known. */
  readonly policy: () => PolicyConfig;
  /** Name of policy and binding. @default - `autocert`, with the namespace if that is not `step` */
  readonly name?: string;
}

const API_VERSION = 'admissionregistration.k8s.io/v1';

/** The policy and its binding. */
export class InjectionPolicy extends Construct {
  /** Makes both. */
  constructor(scope: Construct, id: string, props: InjectionPolicyProps) {
    super(scope, id);
    const { namespace } = props.policy();
    const { name = clusterName('autocert', namespace) } = props;
    new ApiObject(this, 'Resource', {
      apiVersion: API_VERSION,
      kind: 'MutatingAdmissionPolicy',
      metadata: metadata(name),
      spec: {
        failurePolicy: 'Fail',
        reinvocationPolicy: 'Never',
        matchConstraints: matchConstraints(props.policy, [
          { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'], scope: '*' },
        ]),
        matchConditions: [
          { name: 'asks-for-a-certificate', expression: `${annotation(Annotation.name)} != ""` },
          {
            name: 'is-not-injected',
            expression: `${annotation(Annotation.status)} != ${celText(STATUS_INJECTED)}`,
          },
        ],
        variables: Lazy.any({ produce: () => variablesOf(props.policy()) }),
        mutations: [
          addVolume(signerName(namespace)),
          addMounts('initContainers'),
          addMounts('containers'),
          MARK_INJECTED,
        ].map(jsonPatch),
      },
    });
    new ApiObject(this, 'Binding', {
      apiVersion: API_VERSION,
      kind: 'MutatingAdmissionPolicyBinding',
      metadata: metadata(name),
      spec: { policyName: name },
    });
  }
}

function annotation(key: string): string {
  return `object.metadata.?annotations[?${celText(key)}].orValue("")`;
}

const [LEAST, MOST, DAY] = [POD_CERTIFICATE.leastMs / 1000, POD_CERTIFICATE.mostMs / 1000, 24 * 3600];

function variablesOf(policy: PolicyConfig): readonly { name: string; expression: string }[] {
  const usual = `duration(${celText(policy.defaultDuration)})`;
  return [
    { name: 'asked', expression: annotation(Annotation.duration) },
    { name: 'longest', expression: celLongest(policy) },
    {
      name: 'seconds',
      expression: `${celIsDuration('variables.asked')} ? duration(variables.asked).getSeconds() : [${usual}, variables.longest].min().getSeconds()`,
    },
    // Out of the API's range it would be refused in the API's words, before the validating policy is asked.
    {
      name: 'maxExpirationSeconds',
      expression: `variables.seconds >= ${LEAST} && variables.seconds <= ${MOST} ? variables.seconds : ${DAY}`,
    },
    { name: 'modeText', expression: annotation(Annotation.mode) },
    {
      name: 'digits',
      expression:
        'variables.modeText.matches("^0?[0-7]{3}$") ? variables.modeText.substring(variables.modeText.size() - 3) : "644"',
    },
    {
      name: 'defaultMode',
      expression:
        'int(variables.digits.charAt(0)) * 64 + int(variables.digits.charAt(1)) * 8 + int(variables.digits.charAt(2))',
    },
  ];
}

const SOURCES = 'Object.spec.volumes.projected.sources';

/** Rule 1; a list has to be there before something can be put at its end. */
function addVolume(signer: string): string {
  const text = celText;
  return `(object.spec.?volumes.orValue([]).size() == 0 ? [JSONPatch{op: "add", path: "/spec/volumes", value: []}] : []) + [
  JSONPatch{
    op: "add",
    path: "/spec/volumes/-",
    value: Object.spec.volumes{
      name: ${text(VolumeName.certificates)},
      projected: Object.spec.volumes.projected{
        defaultMode: variables.defaultMode,
        sources: [
          ${SOURCES}{
            podCertificate: ${SOURCES}.podCertificate{
              signerName: ${text(signer)},
              keyType: "ECDSAP256",
              maxExpirationSeconds: variables.maxExpirationSeconds,
              keyPath: ${text(CertificateFile.key)},
              certificateChainPath: ${text(CertificateFile.certificate)}
            }
          },
          ${SOURCES}{
            clusterTrustBundle: ${SOURCES}.clusterTrustBundle{
              signerName: ${text(signer)},
              labelSelector: ${SOURCES}.clusterTrustBundle.labelSelector{},
              path: ${text(CertificateFile.root)}
            }
          }
        ]
      }
    }
  }
]`;
}

/** Rule 2. */
function addMounts(list: 'initContainers' | 'containers'): string {
  const mount = `Object.spec.${list}.volumeMounts{name: ${celText(VolumeName.certificates)}, mountPath: ${celText(CERTIFICATE_DIR)}, readOnly: true}`;
  const path = `"/spec/${list}/" + string(index) + "/volumeMounts`;
  return `object.spec.?${list}.orValue([]).transformList(index, container,
  container.?volumeMounts.orValue([]).size() == 0
    ? JSONPatch{op: "add", path: ${path}", value: [${mount}]}
    : JSONPatch{op: "add", path: ${path}/-", value: ${mount}}
)`;
}

/** Rule 3. */
const MARK_INJECTED = `[
  JSONPatch{
    op: "add",
    path: ${celText(`/metadata/annotations/${Annotation.status.replace('/', '~1')}`)},
    value: ${celText(STATUS_INJECTED)}
  }
]`;

function jsonPatch(expression: string) {
  return { patchType: 'JSONPatch', jsonPatch: { expression } };
}

/**
 * Keeps what a pod was admitted with: nobody adds, removes or changes one of its annotations `autocert.step.sm/…` once it
 * is there, not even its node. Who gets which certificate is read off the living pod, again at each renewal; so an
 * annotation that changed later would give it another name, which admission never saw.
 *
 * It holds in every namespace and not in labelled ones only, since a label may be taken away and given again. What leaves
 * these annotations alone passes, finalizers and deletion among it: for all but a few requests the API server does no
 * more than to compare two maps.
 * @module
 */
import { Construct } from 'constructs';
import { clusterName } from '../runtime/policy/cluster-names.ts';
import { addAdmissionPolicy } from './admission-policy.ts';
import { ANNOTATION_PREFIX, celText } from './cel.ts';
import { shown } from './policy-validations.ts';

/** Name of policy and binding, in the namespace `step`. */
const NAME = 'autocert-annotations';

/** `null` where there is none: a Binding is created, and its annotations are added to those of the pod. */
function annotationsOf(object: string): string {
  return `(${object} == null ? {} : dyn(${object}).?metadata.?annotations.orValue({}))`;
}

const ours = (annotations: string) => `${annotations}.filter(key, key.startsWith(${celText(ANNOTATION_PREFIX)}))`;

const ADVICE =
  'of a pod cannot be changed: its certificate was granted by what it was created with. Change it in the template of the workload, which makes new pods, or create the pod anew';

/** Properties of {@link ImmutableAnnotations}. */
export interface ImmutableAnnotationsProps {
  /** Namespace of Autocert. */
  readonly namespace: string;
}

/** The policy and its binding. */
export class ImmutableAnnotations extends Construct {
  /** Makes both. */
  constructor(scope: Construct, id: string, { namespace }: ImmutableAnnotationsProps) {
    super(scope, id);
    addAdmissionPolicy(this, {
      name: clusterName(NAME, namespace),
      rules: [
        // `pods/status` lets a node change annotations; the other subresources do not, as of Kubernetes 1.37.
        { apiGroups: [''], operations: ['UPDATE'], resources: ['pods', 'pods/*'] },
        // The API server copies annotations of a Binding to the pod, and asks nobody about the pod.
        { apiGroups: [''], operations: ['CREATE'], resources: ['bindings', 'pods/binding'] },
      ],
      conditions: { 'changes-annotations': `${annotationsOf('object')} != ${annotationsOf('oldObject')}` },
      variables: {
        before: annotationsOf('oldObject'),
        after: annotationsOf('object'),
        changed: `(${ours('variables.before')} + ${ours('variables.after')}).filter(key, variables.before[?key] != variables.after[?key])`,
      },
      validations: [
        {
          expression: 'variables.changed.size() == 0',
          messageExpression: `${celText('annotation ')} + ${shown('variables.changed[0]')} + ${celText(` ${ADVICE}`)}`,
          message: `annotations ${ANNOTATION_PREFIX}… ${ADVICE}`,
          reason: 'Invalid',
        },
      ],
    });
  }
}

/**
 * Validations of an admission policy, and those that only native delivery needs: what kubelet cannot do. The header of
 * `runtime/webhook/native-patch.ts` has the reasons.
 * @module
 */
import { Annotation, type PolicyConfig } from '../runtime/contract.ts';
import { formatDuration } from '../runtime/policy/duration.ts';
import { POD_CERTIFICATE } from '../runtime/policy/lifetimes.ts';
import { celIsDuration, celText } from './cel.ts';

/** One validation, as the API has it. */
export interface Validation {
  readonly expression: string;
  /** An expression; used when it gives one line of text. */
  readonly messageExpression: string;
  readonly message: string;
  readonly reason: 'Forbidden' | 'Invalid';
}

/** The value of an annotation, an expression; empty where there is none. */
export function annotation(key: string): string {
  return `variables.annotations[?${celText(key)}].orValue("")`;
}

/** What the message shows of what was given: in quotes, shortened. */
export function shown(expression: string): string {
  const text = `string(${expression})`;
  return `"\\"" + (${text}.size() > 100 ? ${text}.substring(0, 100) + "…" : ${text}) + "\\""`;
}

/** What has to hold of an annotation; the message is its key, its value, and `wanted`. */
export function invalid(key: string, expression: string, wanted: string): Validation {
  return {
    expression,
    messageExpression: `${celText(`${key}: `)} + ${shown(annotation(key))} + ${celText(` ${wanted}`)}`,
    message: `${key} ${wanted}`,
    reason: 'Invalid',
  };
}

/** Where no signer runs. */
export const WITHOUT_SIGNER = invalid(
  Annotation.delivery,
  `${annotation(Annotation.delivery)} != "native"`,
  'needs the signer, without which Autocert is installed: write sidecar or auto',
);

/** What native delivery cannot do. */
export function nativeValidations(policy: PolicyConfig): readonly Validation[] {
  const usual = `duration(${celText(policy.defaultDuration)})`;
  const [least, most] = [POD_CERTIFICATE.leastMs, POD_CERTIFICATE.mostMs].map(formatDuration);
  const lifetime = `(${celIsDuration('variables.duration')} ? duration(variables.duration) : [${usual}, variables.longest].min())`;
  const users =
    'variables.containers.map(container, container.?securityContext.?runAsUser.or(variables.spec.?securityContext.?runAsUser).orValue(-1))';
  const user = `(${users}.all(uid, uid == ${users}[0]) ? ${users}[0] : -1)`;
  const group = 'variables.spec.?securityContext.?fsGroup.orValue(-1)';
  const owner = annotation(Annotation.owner);
  const ids = `${owner}.split(":").map(id, int(id))`;
  const mode = annotation(Annotation.mode);
  return [
    invalid(
      Annotation.delivery,
      `${annotation(Annotation.delivery)} != "sidecar"`,
      'needs an agent, which this cluster does not inject: Autocert is installed with the policy injector',
    ),
    invalid(
      Annotation.duration,
      `${lifetime} >= duration("${least}") && ${lifetime} <= duration("${most}")`,
      `is not possible with pod certificates: the API takes ${least} to ${most} (91 days)`,
    ),
    invalid(
      Annotation.owner,
      `!${owner}.matches("^[0-9]{1,10}:[0-9]{1,10}$") || ${ids}[0] == ${user} || ${ids}[1] == ${group}`,
      'is not possible with pod certificates: set securityContext.runAsUser to its uid for all containers, or securityContext.fsGroup to its gid',
    ),
    invalid(
      Annotation.mode,
      `${mode} == "" || (${group} != -1 ? ${mode} in ["640", "0640"] : ${user} == -1 || ${mode} in ["600", "0600"])`,
      'is not possible with pod certificates: kubelet gives the files mode 0640 if the pod has an fsGroup, and 0600 if all its containers run as one user',
    ),
  ];
}

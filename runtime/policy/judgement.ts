/**
 * Whether a pod gets a certificate now, and which: the one judgement that the certificate endpoint and the signer share.
 * Pure: who asks has been proven before, and the live pod and its namespace have been read.
 * @module
 */
import type { V1Pod } from '@kubernetes/client-node';
import { Annotation, type PolicyConfig } from '../contract.ts';
import type { ErrorCode } from '../lib/errors.ts';
import { type CertificateSpec, judgePod } from './certificate-spec.ts';
import { parseDuration } from './duration.ts';
import { labelOf, labelText } from './namespace-label.ts';

/** Which pod somebody has proven to be, or to ask for. */
export interface Claim {
  readonly namespace: string;
  readonly podName: string;
  readonly podUID: string;
  readonly serviceAccountName: string;
  /** Absent: the caller is not known by its node. */
  readonly nodeName?: string;
}

/** What the cluster says at this moment. */
export interface Circumstances {
  /** `undefined`: there is no such pod. */
  readonly pod: V1Pod | undefined;
  /** Whether the namespace carries the label. */
  readonly namespaceEnabled: boolean;
  readonly policy: PolicyConfig;
}

/** What the pod is to be given. */
export interface Grant {
  readonly kind: 'granted';
  readonly spec: CertificateSpec;
  /** From now on, milliseconds: the pod's wish, else the default, within its namespace's limit. */
  readonly lifetimeMs: number;
}

/** Why it gets nothing. */
export interface Refusal {
  readonly kind: 'refused';
  /** CamelCase, for programs. */
  readonly reason: string;
  readonly message: string;
  readonly code: Extract<ErrorCode, 'GONE' | 'UNAUTHENTICATED' | 'FORBIDDEN'>;
  /** `true`: no change of label, policy or configuration turns it into a grant for this pod. */
  readonly final: boolean;
}

/** The kubelet that runs a static pod mirrors it to the API server with this annotation. */
export const MIRROR = 'kubernetes.io/config.mirror';
const FINISHED: readonly (string | undefined)[] = ['Succeeded', 'Failed'];

/** The judgement; see the module's header. */
export function judge(claim: Claim, { pod, namespaceEnabled, policy }: Circumstances): Grant | Refusal {
  const { namespace, podName } = claim;
  const mismatch = identityMismatch(claim, pod);
  if (mismatch) return mismatch;
  const annotations = pod?.metadata?.annotations ?? {};
  const judgement = judgePod({ namespace, serviceAccount: claim.serviceAccountName, annotations }, policy);
  if (judgement.kind === 'excluded') {
    return forbidden('NamespaceExcluded', `namespace ${namespace} is excluded: its pods never get a certificate`);
  }
  if (!namespaceEnabled) {
    return forbidden('NamespaceNotEnabled', `namespace ${namespace} is not labelled ${labelText(labelOf(policy))}`);
  }
  if (judgement.kind === 'none') {
    return forbidden(
      'NoName',
      `pod ${podName} has no annotation ${Annotation.name}: it says which name the certificate is for`,
    );
  }
  if (judgement.kind === 'denied') return forbidden('NotAllowed', judgement.reasons.join('; '));
  const { spec } = judgement;
  return { kind: 'granted', spec, lifetimeMs: spec.duration ?? parseDuration(policy.defaultDuration) };
}

/** Nobody gets a certificate in the name of a pod that is not its own, or that does not run. */
function identityMismatch(claim: Claim, pod: V1Pod | undefined): Refusal | undefined {
  const { podUID, serviceAccountName, nodeName } = claim;
  if (!pod) return gone('PodNotFound', claim, 'does not exist any more');
  const { metadata, spec, status } = pod;
  if (metadata?.uid !== podUID) {
    return gone('PodReplaced', claim, `is another one than that with UID ${podUID.slice(0, 64)}`);
  }
  if (metadata.deletionTimestamp) return gone('PodTerminating', claim, 'is being deleted');
  if (FINISHED.includes(status?.phase)) return gone('PodFinished', claim, 'has ended');
  if (metadata.annotations?.[MIRROR] !== undefined) {
    return wrong('MirrorPod', claim, 'is the mirror of a static pod: nobody but its node vouches for what it asks for');
  }
  if (nodeName !== undefined && spec?.nodeName !== nodeName) {
    return wrong('WrongNode', claim, `runs on ${spec?.nodeName}, and ${nodeName.slice(0, 253)} asks`);
  }
  if (spec?.serviceAccountName !== serviceAccountName) {
    const asks = `and ${serviceAccountName.slice(0, 253)} asks`;
    return wrong('WrongServiceAccount', claim, `runs as service account ${spec?.serviceAccountName}, ${asks}`);
  }
  return undefined;
}

function gone(reason: string, claim: Claim, problem: string): Refusal {
  return { kind: 'refused', reason, message: sentence(claim, problem), code: 'GONE', final: true };
}

function wrong(reason: string, claim: Claim, problem: string): Refusal {
  return { kind: 'refused', reason, message: sentence(claim, problem), code: 'UNAUTHENTICATED', final: true };
}

function forbidden(reason: string, message: string): Refusal {
  return { kind: 'refused', reason, message, code: 'FORBIDDEN', final: false };
}

function sentence({ namespace, podName }: Claim, problem: string): string {
  return `pod ${namespace}/${podName.slice(0, 253)} ${problem}`;
}

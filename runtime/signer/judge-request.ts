/**
 * Whether a request gets a certificate, and which: `request + live pod → order | refusal`. Pure. The names are judged by
 * the same function as at admission and at the token endpoint; around it stands what only the signer can check: that
 * the request is about the pod that runs now, on the node it runs on, and that the pod mounts our volume.
 * @module
 */
import { Annotation, NAMESPACE_LABEL, type PolicyConfig, SIGNER_NAME } from '../contract.ts';
import { formatDuration, parseDuration } from '../policy/duration.ts';
import { judgePod } from '../policy/certificate-spec.ts';
import { ApiLimit, type PodCertificateRequest } from './pod-certificate-request.ts';

/** A pod as the API server sends it, as far as the signer looks at it. */
export interface LivePod {
  readonly metadata: {
    readonly uid: string;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly deletionTimestamp?: string;
  };
  readonly spec: {
    readonly nodeName?: string;
    readonly serviceAccountName?: string;
    readonly volumes?: readonly {
      readonly projected?: {
        readonly sources?: readonly { readonly podCertificate?: { readonly signerName?: string } }[];
      };
    }[];
  };
}

/** What the cluster says about a request at this moment. */
export interface Circumstances {
  /** `undefined`: there is no such pod. */
  readonly pod: LivePod | undefined;
  /** Whether the namespace carries the label. */
  readonly namespaceEnabled: boolean;
  readonly policy: PolicyConfig;
  /** How far the CA dates certificates back, milliseconds; it counts as lifetime. */
  readonly backdateMs: number;
}

/** What the CA is asked for. */
export interface Order {
  readonly kind: 'order';
  readonly commonName: string;
  readonly sans: readonly string[];
  /** From now on, milliseconds: without the back-dated part. */
  readonly durationMs: number;
}

/** Becomes the condition `Denied`. */
export interface Refusal {
  readonly kind: 'refusal';
  /** CamelCase, for programs. */
  readonly reason: string;
  readonly message: string;
}

/** The judgement; see the module's header. */
export function judgeRequest(request: PodCertificateRequest, circumstances: Circumstances): Order | Refusal {
  const { pod, policy } = circumstances;
  const { spec } = request;
  const { namespace } = request.metadata;
  const unknown = Object.keys(spec.unverifiedUserAnnotations ?? {});
  if (unknown.length > 0) {
    return refuse(
      'InvalidUnverifiedUserAnnotations',
      `userAnnotations of the podCertificate volume must be empty, got ${quote(unknown.join(', '))}; write annotations on the pod instead`,
    );
  }
  if (!pod) return refuse('PodNotFound', `pod ${quote(spec.podName)} does not exist in namespace ${namespace}`);
  const mismatch = identityMismatch(request, pod);
  if (mismatch) return mismatch;
  if (!circumstances.namespaceEnabled) {
    return refuse(
      'NamespaceNotEnabled',
      `namespace ${namespace} is not labelled ${NAMESPACE_LABEL.key}=${NAMESPACE_LABEL.value}`,
    );
  }
  const judgement = judgePod({ namespace, annotations: pod.metadata.annotations ?? {} }, policy);
  if (judgement.kind === 'none') {
    return refuse('NoName', `the pod has no annotation ${Annotation.name}: it says which name the certificate is for`);
  }
  if (judgement.kind === 'denied') return refuse('NotAllowed', judgement.reasons.join('; '));
  const { commonName, sans, duration } = judgement.spec;
  const lifetime = lifetimeOf(request, duration, circumstances);
  return typeof lifetime === 'number' ? { kind: 'order', commonName, sans, durationMs: lifetime } : lifetime;
}

/** Whoever may create requests must not obtain a certificate in the name of a pod that is not its own. */
function identityMismatch({ spec }: PodCertificateRequest, pod: LivePod): Refusal | undefined {
  if (pod.metadata.uid !== spec.podUID) {
    return refuse(
      'PodReplaced',
      `pod ${spec.podName} has UID ${pod.metadata.uid}, the request is for ${quote(spec.podUID)}`,
    );
  }
  if (pod.metadata.deletionTimestamp) return refuse('PodTerminating', `pod ${spec.podName} is being deleted`);
  if (pod.spec.nodeName !== spec.nodeName) {
    return refuse(
      'WrongNode',
      `pod ${spec.podName} runs on ${pod.spec.nodeName}, the request is from ${quote(spec.nodeName)}`,
    );
  }
  if (pod.spec.serviceAccountName !== spec.serviceAccountName) {
    return refuse(
      'WrongServiceAccount',
      `pod ${spec.podName} has the service account ${pod.spec.serviceAccountName}, the request names ${quote(spec.serviceAccountName)}`,
    );
  }
  const mounts = pod.spec.volumes?.some((volume) =>
    volume.projected?.sources?.some((source) => source.podCertificate?.signerName === SIGNER_NAME),
  );
  return mounts
    ? undefined
    : refuse('NotInjected', `pod ${spec.podName} has no podCertificate volume of the signer ${SIGNER_NAME}`);
}

/** The pod's wish, else the default; cut to what the request allows, which is a maximum. */
function lifetimeOf(
  { spec }: PodCertificateRequest,
  wish: number | undefined,
  { policy, backdateMs }: Circumstances,
): number | Refusal {
  const most = (spec.maxExpirationSeconds ?? 86_400) * 1000 - backdateMs;
  const lifetime = Math.min(wish ?? parseDuration(policy.defaultDuration), most);
  // The API and the CA both count the back-dated part.
  const least = Math.max(ApiLimit.minLifetimeMs, parseDuration(policy.minDuration)) - backdateMs;
  if (lifetime >= least) return lifetime;
  return refuse(
    'LifetimeTooShort',
    `the lifetime would be ${formatDuration(lifetime)} (annotation ${Annotation.duration}, or maxExpirationSeconds less ` +
      `${formatDuration(backdateMs)} of back-dating), at least ${formatDuration(least)} is possible with native delivery; ` +
      `ask for more, or set ${Annotation.delivery} to "sidecar"`,
  );
}

function refuse(reason: string, message: string): Refusal {
  return { kind: 'refusal', reason, message };
}

function quote(text: string): string {
  return JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text);
}

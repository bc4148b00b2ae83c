/**
 * Whether a request gets a certificate, and which: `request + live pod → order | refusal`. Pure. The pod is judged by the
 * judgement that the certificate endpoint uses too; around it stands what only the signer can check: kubelet's CSR, that
 * the pod mounts our volume, and the lifetimes that the API takes.
 * @module
 */
import type { V1Pod } from '@kubernetes/client-node';
import { Annotation, type PolicyConfig } from '../contract.ts';
import { messageOf } from '../lib/errors.ts';
import { signerName } from '../policy/cluster-names.ts';
import { formatDuration, parseDuration } from '../policy/duration.ts';
import { type Circumstances, judge, type Refusal as PodRefusal } from '../policy/judgement.ts';
import { POD_CERTIFICATE } from '../policy/lifetimes.ts';
import type { Order as CaOrder } from '../step-ca/issuer.ts';
import type { KeyRequest } from '../x509/certificate-request.ts';
import { claimOf, csrOf, type PodCertificateRequest } from './pod-certificate-request.ts';

/** What the CA is asked for. */
export interface Order extends CaOrder {
  readonly kind: 'order';
  readonly lifetimeMs: number;
}

/** Why there is no certificate: now, or, if `final`, ever. */
export type Refusal = Pick<PodRefusal, 'kind' | 'reason' | 'message' | 'final'>;

/** Whether the request is one that this signer can answer: its key, or why not. It takes no look at the pod. */
export function readRequest(request: PodCertificateRequest): KeyRequest | Refusal {
  const userAnnotations = Object.keys(request.spec.unverifiedUserAnnotations ?? {});
  if (userAnnotations.length > 0) {
    return refuse(
      'InvalidUnverifiedUserAnnotations',
      `userAnnotations of the podCertificate volume must be empty, got ${quote(userAnnotations.join(', '))}; write annotations on the pod instead`,
    );
  }
  try {
    return csrOf(request);
  } catch (error) {
    return refuse('InvalidRequest', messageOf(error));
  }
}

/** The judgement. `backdateMs`: how far the CA dates certificates back; to the API it counts as lifetime. */
export function judgeRequest(
  pending: PodCertificateRequest,
  request: KeyRequest,
  circumstances: Circumstances & { readonly backdateMs: number },
): Order | Refusal {
  const { podName, maxExpirationSeconds = DEFAULT_MAX_SECONDS } = pending.spec;
  const judgement = judge(claimOf(pending), circumstances);
  if (judgement.kind === 'refused' && judgement.final) return judgement;
  const { policy, backdateMs } = circumstances;
  const signer = signerName(policy.namespace);
  if (!mounts(circumstances.pod, signer)) {
    return refuse('NotInjected', `pod ${podName} has no podCertificate volume of the signer ${signer}`);
  }
  if (judgement.kind === 'refused') return judgement;
  const { commonName, sans } = judgement.spec;
  // A maximum, while the pod's wish is a wish.
  const mostMs = maxExpirationSeconds * 1000 - backdateMs;
  const lifetimeMs = Math.min(judgement.lifetimeMs, mostMs);
  const leastMs = leastLifetime(policy, backdateMs);
  if (lifetimeMs < leastMs) return tooShort(lifetimeMs, leastMs, backdateMs);
  return { kind: 'order', request, ...(commonName !== undefined && { commonName }), sans, lifetimeMs };
}

/** What the API takes for `maxExpirationSeconds` when a pod does not say it. */
export const DEFAULT_MAX_SECONDS = 86_400;

function mounts(pod: V1Pod | undefined, signer: string): boolean {
  const volumes = pod?.spec?.volumes ?? [];
  return volumes.some(({ projected }) =>
    projected?.sources?.some(({ podCertificate }) => podCertificate?.signerName === signer),
  );
}

/** The API and the CA both count the back-dated part. */
function leastLifetime(policy: PolicyConfig, backdateMs: number): number {
  return Math.max(POD_CERTIFICATE.leastMs, parseDuration(policy.minDuration)) - backdateMs;
}

function tooShort(lifetimeMs: number, leastMs: number, backdateMs: number): Refusal {
  const message =
    `the lifetime would be ${formatDuration(lifetimeMs)} (annotation ${Annotation.duration}, or maxExpirationSeconds less ` +
    `${formatDuration(backdateMs)} of back-dating), at least ${formatDuration(leastMs)} is possible with native delivery; ` +
    `ask for more, or set ${Annotation.delivery} to "sidecar"`;
  return { kind: 'refused', reason: 'LifetimeTooShort', message, final: false };
}

function refuse(reason: string, message: string): Refusal {
  return { kind: 'refused', reason, message, final: true };
}

function quote(text: string): string {
  return JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text);
}

/**
 * `PodCertificateRequest` of `certificates.k8s.io/v1`, and what is kept of one while the signer works on it. Kubelet
 * makes one for each `podCertificate` volume source and again for each renewal.
 *
 * Kubelet keeps `Denied` and `Failed` for ever, at a renewal too. A request without an answer is deleted by the
 * controller manager 15 to 20 minutes after its creation (`PCRCleanerController`: 15 minutes, looked at every five), and
 * kubelet then makes another (`IssuingManager`: it takes one for deleted after 10 to 15 minutes).
 * @module
 */
import type {
  V1beta1PodCertificateRequest,
  V1beta1PodCertificateRequestStatus,
  V1Condition,
  V1ObjectMeta,
} from '@kubernetes/client-node';
import type { AsJson } from '../kubernetes/as-json.ts';
import type { Claim } from '../policy/judgement.ts';
import type { Issuance } from '../step-ca/audit.ts';
import { type KeyRequest, readKeyRequest } from '../x509/certificate-request.ts';

/** The API's bounds; see `k8s.io/kubernetes/pkg/apis/certificates/validation`. */
export const ApiLimit = {
  /** Least distance of `beginRefreshAt` from both ends of the validity. */
  refreshMarginMs: 600_000,
  /** `notBefore` must be this near to the API server's time when the status is written. */
  notBeforeToleranceMs: 300_000,
  /** Longest message of a condition. */
  messageLength: 32_768,
} as const;

/** After this time since its creation kubelet is about to give a request up: what still refuses it is said. */
const NEAR_THE_END_MS = 13 * 60_000;
/** No request is older: the controller manager deletes it. If it seems so, the clocks disagree. */
const OLDEST_MS = 20 * 60_000;

/** A request as the API server sends it. The types of v1beta1 have all that v1 has. */
export type PodCertificateRequest = Omit<AsJson<V1beta1PodCertificateRequest>, 'metadata'> & {
  readonly metadata: AsJson<V1ObjectMeta> & {
    readonly namespace: string;
    readonly name: string;
    readonly uid: string;
  };
};

/** What the signer writes. */
export type RequestStatus = AsJson<V1beta1PodCertificateRequestStatus> & {
  readonly conditions: readonly Condition[];
};

/** A condition; one of a request is final. */
export type Condition = AsJson<V1Condition> & { readonly type: 'Issued' | 'Denied' | 'Failed' };

/** The request has its certificate. */
export interface Issued extends Issuance {
  readonly kind: 'issued';
  readonly notBefore: Date;
  /** When kubelet is to renew. */
  readonly refreshAt: Date;
}

/** Whether the request still waits for an answer. */
export function isPending(request: PodCertificateRequest): boolean {
  return !request.status?.conditions?.length;
}

/** Which pod kubelet asks for. */
export function claimOf({ metadata, spec }: PodCertificateRequest): Claim {
  const { podName, podUID, serviceAccountName, nodeName } = spec;
  return { namespace: metadata.namespace, podName, podUID, serviceAccountName, nodeName };
}

/** Kubelet's CSR, its signature checked. Throws `INVALID_INPUT`. */
export function csrOf({ spec }: PodCertificateRequest): KeyRequest {
  return readKeyRequest(Buffer.from(spec.stubPKCS10Request ?? '', 'base64'), 'spec.stubPKCS10Request');
}

/** A certificate that could not be handed over yet. */
export interface KeptCertificate {
  readonly status: RequestStatus;
  /** What is reported once it is written. */
  readonly result: Issued;
  /** `spec.stubPKCS10Request` that it answers. */
  readonly csr: string;
  /** Until when (monotonic milliseconds) the API server may take it. */
  readonly goodUntil: number;
}

/** A request in work, and what is remembered of it from one attempt to the next. Times are monotonic milliseconds. */
export class Work {
  /** As the API server has it now, without `managedFields`. */
  request: PodCertificateRequest;
  readonly seenAt: number;
  /** When kubelet is about to give it up. */
  readonly nearTheEndAt: number;
  /** Since when it has been refused, by the policy or by the CA. */
  refused: { readonly type: 'Denied' | 'Failed'; readonly since: number } | undefined;
  kept: KeptCertificate | undefined;
  /** Certificates that were signed for it. */
  signatures = 0;
  /** The refusal that was logged last. */
  logged: string | undefined;

  /** @param isNew the watch has brought it, so it was made just now, whatever the clocks say */
  constructor(request: PodCertificateRequest, isNew: boolean, at: { readonly monotonic: number; readonly now: Date }) {
    this.request = slim(request);
    this.seenAt = at.monotonic;
    const age = at.now.getTime() - Date.parse(request.metadata.creationTimestamp ?? '');
    const isPlausible = !isNew && age >= 0 && age <= OLDEST_MS;
    this.nearTheEndAt = at.monotonic - (isPlausible ? age : 0) + NEAR_THE_END_MS;
  }
}

/** Who wrote which field when is the larger part of many an object, and not needed to write its status. */
export function slim(request: PodCertificateRequest): PodCertificateRequest {
  const { managedFields: _, ...metadata } = request.metadata;
  return { ...request, metadata };
}

/**
 * `PodCertificateRequest` of `certificates.k8s.io/v1`, as far as the signer reads and writes it. Kubelet makes one for
 * each `podCertificate` volume source and again for each renewal; the API server has checked the CSR's signature.
 * @module
 */
import { AutocertError } from '../lib/errors.ts';
import { readStubRequest, type StubRequest } from './stub-request.ts';

/** The API's bounds; see `k8s.io/kubernetes/pkg/apis/certificates/validation`. */
export const ApiLimit = {
  /** Shortest lifetime of a leaf. */
  minLifetimeMs: 3_600_000,
  /** Least distance of `beginRefreshAt` from both ends of the validity. */
  refreshMarginMs: 600_000,
  /** Longest message of a condition. */
  messageLength: 32_768,
} as const;

/** A condition as the API has it. */
export interface Condition {
  readonly type: 'Issued' | 'Denied' | 'Failed';
  readonly status: 'True';
  readonly reason: string;
  readonly message: string;
  readonly lastTransitionTime: string;
}

/** What the signer writes. */
export interface RequestStatus {
  readonly conditions: readonly Condition[];
  readonly certificateChain?: string;
  readonly notBefore?: string;
  readonly notAfter?: string;
  readonly beginRefreshAt?: string;
}

/** A request as the API server sends it. */
export interface PodCertificateRequest {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: {
    readonly namespace: string;
    readonly name: string;
    readonly uid: string;
    readonly resourceVersion?: string;
    readonly creationTimestamp?: string;
  };
  readonly spec: {
    readonly signerName: string;
    readonly podName: string;
    readonly podUID: string;
    readonly serviceAccountName: string;
    readonly nodeName: string;
    readonly maxExpirationSeconds?: number;
    /** DER, base64. */
    readonly stubPKCS10Request?: string;
    readonly unverifiedUserAnnotations?: Readonly<Record<string, string>>;
  };
  readonly status?: { readonly conditions?: readonly { readonly type: string }[] };
}

/** Whether the request still waits for an answer: a condition of any known type is final. */
export function isPending(request: PodCertificateRequest): boolean {
  return !request.status?.conditions?.length;
}

/** Kubelet's CSR. Throws `INVALID_INPUT`. */
export function csrOf(request: PodCertificateRequest): StubRequest {
  const { stubPKCS10Request } = request.spec;
  if (!stubPKCS10Request) {
    throw new AutocertError(
      'INVALID_INPUT',
      'spec.stubPKCS10Request is empty: this signer wants a PKCS#10 request in it',
    );
  }
  return readStubRequest(stubPKCS10Request);
}

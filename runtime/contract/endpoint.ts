/**
 * Where the webhook listens, and what an agent and the certificate endpoint say to each other.
 * @module
 */

/** Port of the webhook's and the CA's containers; their Services listen on 443. The webhook's is for the API server alone. */
export const CONTAINER_PORT = 4443;

/** Port of `/healthz`, `/readyz` and `/metrics` of the webhook, and of the signer: plain HTTP, for kubelet and Prometheus. */
export const WEBHOOK_HEALTH_PORT = 9402;

/** Port of the certificate endpoint, of the container and of the Service: pods reach it, and not what the API server asks. */
export const CERTIFICATE_PORT = 4444;

/** Path of admission, the only one on the webhook's {@link CONTAINER_PORT}. */
export const WebhookPath = { mutate: '/mutate' } as const;

/** Paths of the certificate endpoint, on {@link CERTIFICATE_PORT}. */
export const CertificatePath = {
  /** POST: a {@link CertificateRequestBody} with a service-account token as Bearer gives a {@link CertificateAnswer}. */
  certificate: '/certificate',
  /** GET, `?namespace=`: a {@link RenewalInfo}; cacheable, the same for all pods of a namespace. */
  renewalInfo: '/renewal-info',
  /** POST: a {@link FailureReport} with a service-account token as Bearer gives 204. Webhooks of before answer 404. */
  report: '/report',
} as const;

/** What an agent sends for a certificate. */
export interface CertificateRequestBody {
  /** PKCS#10, PEM: a key and the proof of its possession. Nothing else of it is looked at. */
  readonly csr: string;
  /** `true`: the pod has no usable certificate, and waits for this one. */
  readonly starting?: boolean;
}

/** What it gets. */
export interface CertificateAnswer {
  /** Leaf, then intermediates, PEM. */
  readonly certificate: string;
  readonly renewal: RenewalInfo;
}

/** By what agents go until they ask again; the model is RFC 9773 (ACME Renewal Information). */
export interface RenewalInfo {
  /** When to renew, in shares (0 to 1) of the lifetime; each agent takes a time within it. */
  readonly suggestedWindow: { readonly start: number; readonly end: number };
  /** All roots to trust: the CA's own, announced and federated ones, PEM. Never empty. */
  readonly roots: string;
  /** Those of them by which to trust Autocert itself: the federated ones are left out. */
  readonly anchors: string;
  /** Certificates issued before this time (RFC 3339) are to be replaced, spread over `withinSeconds` from it. */
  readonly replace?: { readonly issuedBefore: string; readonly withinSeconds: number };
  /** When to ask for this again. */
  readonly askAgainSeconds: number;
}

/**
 * What an agent sends that has failed for an hour, or that holds a certificate which is late; at most once an hour. Times
 * are RFC 3339, by the agent's clock.
 */
export interface FailureReport {
  /** Why the last attempt failed; of more than {@link MAX_REPORTED_REASON} characters the rest is cut off. */
  readonly reason: string;
  /** The error code of the answer that the endpoint itself gave, if it gave one. */
  readonly code?: string;
  /** Since when no attempt has succeeded. */
  readonly since: string;
  /** When the certificate in hand expires; absent: there is none. */
  readonly notAfter?: string;
  /** `true`: the certificate in hand is past the end of its renewal window by more than a tenth of its lifetime. */
  readonly late?: boolean;
}

/** Longest {@link FailureReport.reason}, characters. */
export const MAX_REPORTED_REASON = 500;

/** The body of every refusal. `retry-after` (RFC 9110, seconds) tells when to come again, where that may help. */
export interface ErrorAnswer {
  readonly error: { readonly code: string; readonly message: string };
}

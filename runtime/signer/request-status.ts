/**
 * The three answers that a request can get, in the API's words. Pure.
 * @module
 */
import type { Validity } from '../x509/certificate.ts';
import { ApiLimit, type Condition, type RequestStatus } from './pod-certificate-request.ts';

/** `chain`: leaf first; `renewAt`: see {@link refreshAt}. */
export function issuedStatus(
  chain: readonly string[],
  validity: Validity,
  now: Date,
  renewAt: number | undefined,
): RequestStatus {
  return {
    conditions: [condition('Issued', 'Issued', 'signed by the Autocert CA', now)],
    certificateChain: chain.map((pem) => `${pem.trim()}\n`).join(''),
    notBefore: apiTime(validity.notBefore),
    notAfter: apiTime(validity.notAfter),
    beginRefreshAt: apiTime(refreshAt(validity, renewAt)),
  };
}

/** Policy says no. Kubelet does not ask again for this pod. */
export function deniedStatus(reason: string, message: string, now: Date): RequestStatus {
  return { conditions: [condition('Denied', reason, message, now)] };
}

/** The CA says no. Kubelet does not ask again for this pod. */
export function failedStatus(reason: string, message: string, now: Date): RequestStatus {
  return { conditions: [condition('Failed', reason, message, now)] };
}

/**
 * When the share `renewAt` of the lifetime is gone; kubelet adds up to five minutes, so that pods do not renew in step.
 * Kept at the distance from both ends that the API demands.
 */
export function refreshAt({ notBefore, notAfter }: Validity, renewAt = 2 / 3): Date {
  const from = notBefore.getTime();
  const to = notAfter.getTime();
  const due = from + (to - from) * renewAt;
  return new Date(Math.min(Math.max(due, from + ApiLimit.refreshMarginMs), to - ApiLimit.refreshMarginMs));
}

function condition(type: Condition['type'], reason: string, message: string, now: Date): Condition {
  return {
    type,
    status: 'True',
    reason,
    message: message.slice(0, ApiLimit.messageLength),
    lastTransitionTime: apiTime(now),
  };
}

/** `metav1.Time` has whole seconds. */
function apiTime(date: Date): string {
  return `${date.toISOString().slice(0, 19)}Z`;
}

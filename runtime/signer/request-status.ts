/**
 * The three answers that a request can get, in the API's words. Pure.
 * @module
 */
import { clamp } from '../lib/loops.ts';
import { type RenewalWindow, renewalTime, USUAL_WINDOW } from '../policy/renewal.ts';
import type { IssuedCertificate } from '../step-ca/issuer.ts';
import type { Validity } from '../x509/certificate.ts';
import { ApiLimit, type Condition, type RequestStatus } from './pod-certificate-request.ts';

/** The certificate; `beginRefreshAt`: see {@link refreshAt}. */
export function issuedStatus(
  { chainPem, validity }: IssuedCertificate,
  now: Date,
  beginRefreshAt: Date,
): RequestStatus {
  return {
    conditions: [condition('Issued', 'Issued', 'signed by the Autocert CA', now)],
    certificateChain: chainPem.map((pem) => `${pem.trim()}\n`).join(''),
    notBefore: apiTime(validity.notBefore),
    notAfter: apiTime(validity.notAfter),
    beginRefreshAt: apiTime(beginRefreshAt),
  };
}

/** `Denied`: the policy says no; `Failed`: the CA does. Kubelet does not ask again for this pod. */
export function refusedStatus(type: 'Denied' | 'Failed', reason: string, message: string, now: Date): RequestStatus {
  return { conditions: [condition(type, reason, message, now)] };
}

/** When to renew. `renewAt`: the share of the lifetime at which the window ends; its width follows the usual one's. */
export function windowOf(renewAt: number | undefined): RenewalWindow {
  if (renewAt === undefined) return USUAL_WINDOW;
  return { start: (renewAt * USUAL_WINDOW.start) / USUAL_WINDOW.end, end: renewAt };
}

/**
 * The time at `position` (0 to 1) of the window, so that pods that start together do not renew together (kubelet itself
 * adds up to five minutes). Kept at the distance from both ends of the validity that the API demands.
 */
export function refreshAt(validity: Validity, window: RenewalWindow, position: number): Date {
  const earliest = validity.notBefore.getTime() + ApiLimit.refreshMarginMs;
  const latest = validity.notAfter.getTime() - ApiLimit.refreshMarginMs;
  return new Date(clamp(renewalTime(validity, window, position).getTime(), earliest, latest));
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

/**
 * The audit line: who got which certificate. The webhook writes it for pods with an agent, the signer for the others, with
 * the same fields, which are listed in docs/reference.md.
 * @module
 */
import type { Claim } from '../policy/judgement.ts';
import type { Delivered, Purpose } from './certificate-metrics.ts';

/** A certificate that a pod got. */
export interface Issuance {
  readonly names: readonly string[];
  /** Hexadecimal. */
  readonly serial: string;
  readonly notAfter: Date;
  readonly purpose: Purpose;
}

/** Message of the line. */
export const AUDIT_MESSAGE = 'certificate issued';

/** Reason of the Event that goes with it, where `issuanceEvents` is on. */
export const ISSUED_REASON = 'CertificateIssued';

/** Its fields. `tookMs`: from the request to its answer. */
export function auditFields(who: Claim, what: Issuance, delivery: Delivered, tookMs: number) {
  const { namespace, podName, podUID, serviceAccountName } = who;
  const { names, serial, notAfter, purpose } = what;
  return {
    result: 'issued',
    ...{ namespace, pod: podName, podUid: podUID, serviceAccount: serviceAccountName },
    ...{ names, serial, notAfter: notAfter.toISOString() },
    ...{ delivery, purpose, ms: Math.round(tookMs) },
  };
}

/** The Event's message. */
export function issuedMessage({ names, serial, notAfter }: Issuance): string {
  return `certificate ${serial} for ${names.join(', ')}, valid until ${notAfter.toISOString()}`;
}

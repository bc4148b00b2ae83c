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

const ISSUED = /^certificate ([0-9A-Fa-f]{1,64}) for .{1,1024}, valid until (\d{4}-\d\d-\d\dT[\d:.]{8,12}Z)$/;

/** The Event's message. */
export function issuedMessage({ names, serial, notAfter }: Issuance): string {
  return `certificate ${serial} for ${names.join(', ')}, valid until ${notAfter.toISOString()}`;
}

/** What {@link issuedMessage} tells. */
export type TellableIssuance = Pick<Issuance, 'serial' | 'notAfter'>;

/** Reads {@link issuedMessage}; `undefined` for any other text: whoever may write Events may write what he likes. */
export function readIssuedMessage(message: string): TellableIssuance | undefined {
  const [, serial, until = ''] = ISSUED.exec(message) ?? [];
  const notAfter = new Date(until);
  return serial === undefined || Number.isNaN(notAfter.getTime()) ? undefined : { serial, notAfter };
}

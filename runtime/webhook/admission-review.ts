/**
 * The AdmissionReview of `admission.k8s.io` v1 and v1beta1, which differ in nothing that is used here: reading the
 * request, writing the response.
 * @module
 */
import { AutocertError, MAX_MESSAGE } from '../lib/errors.ts';
import { isRecord, shown } from '../lib/validator.ts';
import type { JsonPatch } from './patch.ts';

const API_VERSIONS: readonly unknown[] = ['admission.k8s.io/v1', 'admission.k8s.io/v1beta1'];
/** The API server's are UUIDs; the response has to have the same. */
const MAX_UID = 128;
/** Longest name that the Kubernetes API takes (RFC 1123 subdomain). */
const MAX_NAME = 253;

/** What the API server asks. */
export interface AdmissionRequest {
  /** Of the review; the response has the same. */
  readonly apiVersion: string;
  readonly uid: string;
  /** Kind of the object, such as `Pod`. */
  readonly kind: string;
  readonly operation: string;
  readonly subResource: string;
  /** Namespace of the object; its own metadata may lack it. */
  readonly namespace: string;
  readonly object: unknown;
}

/** What the API server is told. */
export type AdmissionAnswer =
  | {
      readonly allowed: true;
      readonly patch?: JsonPatch;
      /** What would have been refused, and why: a warning for whoever asks, and for the audit log. */
      readonly violation?: string;
    }
  | { readonly allowed: false; readonly code: number; readonly message: string };

/**
 * Reads a review.
 * @throws AutocertError `INVALID_INPUT`, naming the field, when it is none: then there is no uid to answer to.
 */
export function readReview(body: unknown): AdmissionRequest {
  if (!isRecord(body)) throw invalid('the body must be an AdmissionReview object', body);
  if (body.kind !== 'AdmissionReview') throw invalid('kind must be "AdmissionReview"', body.kind);
  if (!API_VERSIONS.includes(body.apiVersion)) {
    throw invalid(`apiVersion must be ${API_VERSIONS.join(' or ')}`, body.apiVersion);
  }
  const { request } = body;
  if (!isRecord(request)) throw invalid('request must be an object', request);
  const { uid } = request;
  if (typeof uid !== 'string' || uid === '' || uid.length > MAX_UID) {
    throw invalid(`request.uid must be a text of at most ${MAX_UID} characters`, uid);
  }
  const object = isRecord(request.object) ? request.object : {};
  return {
    apiVersion: String(body.apiVersion),
    uid,
    kind: text(object.kind) || (isRecord(request.kind) ? text(request.kind.kind) : ''),
    operation: text(request.operation),
    subResource: text(request.subResource),
    namespace: text(request.namespace),
    object: request.object,
  };
}

/** The whole AdmissionReview that answers `request`, as JSON. */
export function writeReview(request: AdmissionRequest, answer: AdmissionAnswer): string {
  const { apiVersion, uid } = request;
  const response = answer.allowed
    ? {
        uid,
        allowed: true,
        ...(answer.patch && encoded(answer.patch)),
        ...(answer.violation && told(answer.violation)),
      }
    : { uid, allowed: false, status: { code: answer.code, message: answer.message.slice(0, MAX_MESSAGE) } };
  return JSON.stringify({ apiVersion, kind: 'AdmissionReview', response });
}

function encoded(patch: JsonPatch): { readonly patchType: 'JSONPatch'; readonly patch: string } {
  return { patchType: 'JSONPatch', patch: Buffer.from(JSON.stringify(patch)).toString('base64') };
}

/** The key is that of Pod Security; the API server puts the webhook's name before it. */
const AUDIT_ANNOTATION = 'audit-violations';
/** The API server cuts a longer warning where the warnings of all webhooks together are too long. */
const MAX_WARNING = 256;

function told(violation: string) {
  // The API server drops a warning with a control character in it: it becomes a header (RFC 7234, §5.5).
  const line = violation.replaceAll(/\p{Cc}+/gu, ' ');
  const warning = `autocert would refuse this pod; it gets no certificate: ${line}`;
  return {
    warnings: [warning.length > MAX_WARNING ? `${warning.slice(0, MAX_WARNING - 1)}…` : warning],
    auditAnnotations: { [AUDIT_ANNOTATION]: line.slice(0, MAX_MESSAGE) },
  };
}

/** Cut, so that it is none that the API server knows. */
function text(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, MAX_NAME) : '';
}

function invalid(wanted: string, given: unknown): AutocertError {
  return new AutocertError('INVALID_INPUT', `not an AdmissionReview: ${wanted}, got ${shown(given)}`);
}

/**
 * The agent's only peer, the certificate endpoint: one request for a certificate, one for renewal information.
 * @module
 */
import {
  type CertificateAnswer,
  CertificatePath,
  type CertificateRequestBody,
  type ErrorAnswer,
  type FailureReport,
  type RenewalInfo,
} from '../contract.ts';
import { AutocertError, type ErrorCode } from '../lib/errors.ts';
import { type HttpsAnswer, httpsJson } from '../lib/https.ts';
import { Secret } from '../lib/secret.ts';
import { readTextFile } from '../lib/text-file.ts';
import { asText, type Check, isRecord, object, optional, text, time, wanted } from '../lib/validator.ts';
import { canonicalPem, splitPem } from '../x509/certificate.ts';
import type { AgentSettings } from './settings.ts';

/** Signing may have to wait for its turn. Milliseconds. */
const CERTIFICATE_TIMEOUT = 30_000;

const CODES: Readonly<Record<number, ErrorCode>> = {
  400: 'INVALID_INPUT',
  401: 'UNAUTHENTICATED',
  403: 'FORBIDDEN',
  410: 'GONE',
  413: 'INVALID_INPUT',
  415: 'INVALID_INPUT',
  502: 'CA_REJECTED',
};

/** How to reach the endpoint: what of the settings it takes, and all roots to trust, PEM. */
export type Transport = Pick<AgentSettings, 'autocertUrl' | 'hostAliases'> & { readonly ca: string };

/** Reads the pod's service-account token. Each time anew, for kubelet replaces it. */
export function readAttestationToken(file: string): Secret {
  const token = readTextFile(file).trim();
  // Base64url and dots: whatever else it is, it must not reach an HTTP header.
  if (/^[\w.-]+$/.test(token)) return new Secret(token);
  const problem = token === '' ? 'is empty' : 'is not a JSON Web Token';
  throw new AutocertError('INVALID_CONFIG', `the service-account token ${file} ${problem}; kubelet writes it`);
}

/**
 * Asks for a certificate. The answer is still to be read, by {@link readCertificateAnswer}: whatever is wrong with it, a
 * certificate has been issued.
 */
export async function requestCertificate(
  transport: Transport,
  attestation: Secret,
  request: CertificateRequestBody,
): Promise<unknown> {
  const { autocertUrl, ...rest } = transport;
  const answer = await httpsJson({
    ...rest,
    url: `${autocertUrl}${CertificatePath.certificate}`,
    method: 'POST',
    headers: { authorization: `Bearer ${attestation.reveal()}` },
    json: request,
    timeoutMs: CERTIFICATE_TIMEOUT,
  });
  return accepted(answer);
}

/** Asks how the pods of a namespace are to renew. */
export async function fetchRenewalInfo(transport: Transport, namespace: string): Promise<RenewalInfo> {
  const { autocertUrl, ...rest } = transport;
  const url = `${autocertUrl}${CertificatePath.renewalInfo}?namespace=${encodeURIComponent(namespace)}`;
  const body = accepted(await httpsJson({ ...rest, url }));
  checked('renewal information', renewalInfo, body);
  return body as RenewalInfo;
}

/** Tells the endpoint that attempts fail. One of an older version knows no reports, and need not be told again soon. */
export async function sendReport(transport: Transport, attestation: Secret, report: FailureReport): Promise<void> {
  const { autocertUrl, ...rest } = transport;
  const answer = await httpsJson({
    ...rest,
    url: `${autocertUrl}${CertificatePath.report}`,
    method: 'POST',
    headers: { authorization: `Bearer ${attestation.reveal()}` },
    json: report,
  });
  if (answer.status !== 204 && answer.status !== 404) accepted(answer);
}

/** Reads the answer to a certificate request. @throws AutocertError `UNTRUSTED` */
export function readCertificateAnswer(body: unknown): CertificateAnswer {
  checked('the certificate', object({ certificate: text, renewal: renewalInfo }), body);
  return body as CertificateAnswer;
}

function accepted({ status, body, retryAfterMs }: HttpsAnswer): unknown {
  if (status === 200) return body;
  const { error } = (isRecord(body) ? body : {}) as Partial<ErrorAnswer>;
  const words = isRecord(error) && typeof error.message === 'string' ? error.message.slice(0, 1000) : 'no reason given';
  throw new AutocertError(CODES[status] ?? 'UNAVAILABLE', `the certificate endpoint answers ${status}: ${words}`, {
    status,
    retryAfterMs,
  });
}

function checked(what: string, check: Check, value: unknown): void {
  try {
    check(value);
  } catch (cause) {
    throw new AutocertError('UNTRUSTED', `${what} that the endpoint answers is malformed`, { cause });
  }
}

const share: Check = (value) => {
  if (typeof value !== 'number' || !(value >= 0 && value <= 1)) throw wanted('a number from 0 to 1', value);
};

const seconds: Check = (value) => {
  if (typeof value !== 'number' || !(value >= 0)) throw wanted('a number of seconds', value);
};

const certificates = asText('certificates in PEM', (pem) => {
  const found = splitPem(pem);
  if (found.length === 0) throw wanted('certificates in PEM', pem);
  for (const each of found) canonicalPem(each, 'a root');
});

const renewalInfo = object({
  suggestedWindow: object({ start: share, end: share }),
  roots: certificates,
  anchors: certificates,
  replace: optional(object({ issuedBefore: time, withinSeconds: seconds })),
  askAgainSeconds: seconds,
});

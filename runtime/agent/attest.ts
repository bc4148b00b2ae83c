/**
 * Attestation: proves to the webhook which pod this is, and gets a one-time token for exactly the names it may have.
 * @module
 */
import { readFileSync, statSync } from 'node:fs';
import { WebhookPath } from '../contract.ts';
import { parseDuration } from '../policy/duration.ts';
import { AutocertError, type ErrorCode } from '../lib/errors.ts';
import { type HttpsRequest, httpsJson } from '../lib/https.ts';
import { Secret } from '../lib/secret.ts';

/** What the token endpoint grants. */
export interface Grant {
  /** Goes to the CA, once. */
  readonly token: Secret;
  /** Milliseconds; absent: the CA's default. */
  readonly duration?: number;
}

/** More than any service-account token has. */
const MAX_TOKEN = 64 * 1024;

const CODES: Readonly<Record<number, ErrorCode>> = {
  400: 'INVALID_INPUT',
  401: 'UNAUTHENTICATED',
  403: 'FORBIDDEN',
  410: 'GONE',
  413: 'INVALID_INPUT',
  415: 'INVALID_INPUT',
};

/** Reads the pod's service-account token. Each time anew, for kubelet replaces it. */
export function readAttestationToken(file: string): Secret {
  const text = readBounded(file).trim();
  // Base64url and dots: whatever else it is, it must not reach an HTTP header.
  if (/^[\w.-]+$/.test(text)) return new Secret(text);
  const problem = text === '' ? 'is empty' : 'is not a JSON Web Token';
  throw new AutocertError('INVALID_CONFIG', `the attestation token ${file} ${problem}; kubelet should have written it`);
}

/** Asks the token endpoint of the webhook at `url` for a one-time token bound to the request `csrPem`. */
export async function requestGrant(
  url: string,
  attestation: Secret,
  csrPem: string,
  transport: Pick<HttpsRequest, 'ca' | 'hostAliases' | 'signal' | 'timeoutMs'>,
): Promise<Grant> {
  const { status, body } = await httpsJson({
    ...transport,
    url: `${url}${WebhookPath.token}`,
    method: 'POST',
    headers: { authorization: `Bearer ${attestation.reveal()}` },
    json: { csr: csrPem },
  });
  const answer = record(body);
  if (status !== 200) throw refusal(status, record(answer.error));
  if (typeof answer.token !== 'string' || answer.token === '') {
    throw new AutocertError('UNAVAILABLE', `the token endpoint ${url} answered without a token`);
  }
  const token = new Secret(answer.token);
  return typeof answer.duration === 'string' ? { token, duration: parseDuration(answer.duration) } : { token };
}

function refusal(status: number, error: Record<string, unknown>): AutocertError {
  const message = typeof error.message === 'string' ? error.message.slice(0, 1000) : `status ${status}`;
  const code = CODES[status] ?? 'UNAVAILABLE';
  return new AutocertError(
    code,
    `the token endpoint ${code === 'UNAVAILABLE' ? 'is not ready' : 'refuses'}: ${message}`,
  );
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function readBounded(file: string): string {
  try {
    if (statSync(file).size <= MAX_TOKEN) return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new AutocertError('INVALID_CONFIG', `the attestation token ${file} cannot be read`, { cause });
  }
  throw new AutocertError('INVALID_CONFIG', `the attestation token ${file} is larger than ${MAX_TOKEN} bytes`);
}

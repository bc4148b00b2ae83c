/**
 * Which pod asks: it shows the service-account token that kubelet gave it, and the API server says whose that is
 * (TokenReview).
 * @module
 */
import type { V1TokenReview } from '@kubernetes/client-node';
import { AttestationToken } from '../contract.ts';
import type { KubernetesApi } from '../kubernetes/client.ts';
import { AutocertError } from '../lib/errors.ts';
import { Secret } from '../lib/secret.ts';
import { isRecord } from '../lib/validator.ts';
import type { Claim } from '../policy/judgement.ts';
import { isDnsLabel } from '../policy/names.ts';

/** Longest service-account token. */
const MAX_TOKEN = 8192;
/** Clocks may differ by so much: the API server has the last word on when a token expires. */
const LEEWAY_MS = 300_000;

const POD_NAME = 'authentication.kubernetes.io/pod-name';
const POD_UID = 'authentication.kubernetes.io/pod-uid';

/** A token that is worth a TokenReview, and whose it claims to be. Nothing of it is proven yet. */
export interface Attestation {
  readonly token: Secret;
  readonly namespace: string;
}

/**
 * Looks at a service-account token (JWT, RFC 7519) as far as that costs nothing: whether it is meant for us, has not
 * expired, and says which pod it is bound to. What nobody could have been given for us is no question to the API server.
 * @throws AutocertError `UNAUTHENTICATED`
 */
export function readAttestation(token: string, now: Date): Attestation {
  if (token === '' || token.length > MAX_TOKEN) throw unauthenticated('send a service-account token as Bearer');
  const claims = claimsOf(token);
  const { aud, exp } = claims;
  const audiences: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  if (!audiences.includes(AttestationToken.audience)) {
    throw unauthenticated(`the token is not for the audience ${AttestationToken.audience}`);
  }
  if (typeof exp !== 'number' || exp * 1000 + LEEWAY_MS < now.getTime()) throw unauthenticated('the token has expired');
  const { namespace, pod } = record(claims['kubernetes.io']);
  if (typeof namespace !== 'string' || !isDnsLabel(namespace) || typeof record(pod).name !== 'string') throw unbound();
  return { token: new Secret(token), namespace };
}

function claimsOf(token: string): Readonly<Record<string, unknown>> {
  const [, payload] = /^[\w-]+\.([\w-]+)\.[\w-]+$/.exec(token) ?? [];
  try {
    return record(JSON.parse(Buffer.from(payload ?? '', 'base64url').toString()));
  } catch {
    throw unauthenticated('the token is no service-account token (JWT)');
  }
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return isRecord(value) ? value : {};
}

/**
 * Has the API server check the service-account token, and reads from its answer which pod it is bound to. The token of a
 * pod that is gone is not accepted.
 * @throws AutocertError `UNAUTHENTICATED`, or `UNAVAILABLE` where the API server gives no answer
 */
export async function review(api: Pick<KubernetesApi, 'create'>, attestation: Attestation): Promise<Claim> {
  const token = attestation.token.reveal();
  const audience = AttestationToken.audience;
  const question = {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenReview',
    spec: { token, audiences: [audience] },
  };
  const path = '/apis/authentication.k8s.io/v1/tokenreviews';
  const { status } = await api.create<V1TokenReview>(path, question).catch(noAnswer);
  if (status?.authenticated !== true) {
    const reason = status?.error?.slice(0, 500) || 'no reason given';
    throw unauthenticated(`the API server does not accept the service-account token: ${reason}`);
  }
  // An API server that knows no audiences answers without any: then the token may be meant for something else.
  if (!status.audiences?.includes(audience)) throw unauthenticated(`the token is not for the audience ${audience}`);
  const [, namespace, serviceAccountName] =
    /^system:serviceaccount:([^:]+):([^:]+)$/.exec(status.user?.username ?? '') ?? [];
  const podName = status.user?.extra?.[POD_NAME]?.[0];
  const podUID = status.user?.extra?.[POD_UID]?.[0];
  if (!namespace || !serviceAccountName || !podName || !podUID) {
    throw unbound();
  }
  return { namespace, serviceAccountName, podName, podUID };
}

/** Whatever the API server refuses to this webhook is no fault of the pod's. */
export function noAnswer(cause: unknown): never {
  throw new AutocertError('UNAVAILABLE', 'the API server gave no answer', { cause });
}

function unbound(): AutocertError {
  return unauthenticated('the token is not bound to a pod; use the one that Autocert projects into the pod');
}

function unauthenticated(message: string): AutocertError {
  return new AutocertError('UNAUTHENTICATED', message);
}

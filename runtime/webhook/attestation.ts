/**
 * Which pod asks: it shows the service-account token that kubelet gave it, and the API server says whose that is
 * (TokenReview).
 * @module
 */
import type { V1TokenReview } from '@kubernetes/client-node';
import { AttestationToken } from '../contract.ts';
import type { KubernetesApi } from '../kubernetes/client.ts';
import { AutocertError } from '../lib/errors.ts';
import type { Secret } from '../lib/secret.ts';
import type { Claim } from '../policy/judgement.ts';

/** Longest service-account token. */
const MAX_TOKEN = 8192;

const POD_NAME = 'authentication.kubernetes.io/pod-name';
const POD_UID = 'authentication.kubernetes.io/pod-uid';

/**
 * Has the API server check the service-account token, and reads from its answer which pod it is bound to. The token of a
 * pod that is gone is not accepted.
 * @throws AutocertError `UNAUTHENTICATED`, or `UNAVAILABLE` where the API server gives no answer
 */
export async function review(api: Pick<KubernetesApi, 'create'>, attestation: Secret): Promise<Claim> {
  const token = attestation.reveal();
  if (token === '' || token.length > MAX_TOKEN) throw unauthenticated('send a service-account token as Bearer');
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
    throw unauthenticated('the token is not bound to a pod; use the one that Autocert projects into the pod');
  }
  return { namespace, serviceAccountName, podName, podUID };
}

/** Whatever the API server refuses to this webhook is no fault of the pod's. */
export function noAnswer(cause: unknown): never {
  throw new AutocertError('UNAVAILABLE', 'the API server gave no answer', { cause });
}

function unauthenticated(message: string): AutocertError {
  return new AutocertError('UNAUTHENTICATED', message);
}

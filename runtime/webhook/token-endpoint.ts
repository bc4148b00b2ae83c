/**
 * Attestation: a pod shows its service-account token and gets a one-time token for exactly the names that its annotations
 * ask for and the policy allows. Who asks is proven by the API server (TokenReview), what the pod may have is read from
 * the live pod. Nothing is stored, so it works at any age of the pod, and a deleted pod gets nothing.
 * @module
 */
import { createHash } from 'node:crypto';
import { AttestationToken, type CaConfig, NAMESPACE_LABEL, type PolicyConfig } from '../contract.ts';
import { ifFound, namespaceLabels } from '../kubernetes/cluster-state.ts';
import { formatDuration } from '../policy/duration.ts';
import { AutocertError } from '../lib/errors.ts';
import type { KubernetesApi } from '../kubernetes/client.ts';
import type { TokenSigner } from '../step-ca/one-time-token.ts';
import { type CertificateSpec, judgePod } from '../policy/certificate-spec.ts';
import type { Secret } from '../lib/secret.ts';
import { isRecord, type Pod } from './pod.ts';

/** What the endpoint needs of the world. */
export interface TokenPorts {
  readonly api: Pick<KubernetesApi, 'get' | 'create'>;
  /** The provisioner's opened key and the root to name in the token; `undefined` while the CA has not been reached. */
  readonly issuer: () => { readonly signer: Pick<TokenSigner, 'mint'>; readonly rootFingerprint: string } | undefined;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

/** Who asked, once that is known: for the log. */
export interface Caller {
  readonly namespace: string;
  readonly pod: string;
}

/** What a caller is given. */
export interface TokenGrant {
  readonly caller: Caller;
  readonly token: Secret;
  readonly spec: CertificateSpec;
}

/** Answers one request; `onCaller` learns who it is as soon as that is proven. */
export type TokenEndpoint = (
  attestation: Secret,
  body: unknown,
  onCaller?: (caller: Caller) => void,
) => Promise<TokenGrant>;

/** The body of a successful answer. */
export function grantBody({ token, spec }: TokenGrant): object {
  const { commonName, sans, duration } = spec;
  return {
    token: token.reveal(),
    commonName,
    sans,
    ...(duration !== undefined && { duration: formatDuration(duration) }),
  };
}

/** Largest certificate request, and largest service-account token. */
const MAX_CSR = 8192;
const MAX_TOKEN = 8192;

const POD_NAME = 'authentication.kubernetes.io/pod-name';
const POD_UID = 'authentication.kubernetes.io/pod-uid';
const CSR = /^\s*-----BEGIN CERTIFICATE REQUEST-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE REQUEST-----\s*$/;

/**
 * Makes the endpoint. It throws AutocertError: `INVALID_INPUT` (the request), `UNAUTHENTICATED` (the attestation),
 * `GONE` (the pod), `FORBIDDEN` (namespace or names), `UNAVAILABLE` (API server or CA; worth trying again).
 */
export function createTokenEndpoint(
  config: PolicyConfig & Pick<CaConfig, 'caUrl'>,
  { api, issuer, now }: TokenPorts,
): TokenEndpoint {
  const isEnabled = namespaceLabels(api, now);
  return async (attestation, body, onCaller = () => {}) => {
    const csrFingerprint = readRequest(body);
    const ready = issuer();
    if (!ready) throw new AutocertError('UNAVAILABLE', 'the CA has not been reached yet; try again');
    const identity = await review(api, attestation);
    const { namespace, pod: name } = identity;
    onCaller({ namespace, pod: name });
    const [pod, enabled] = await Promise.all([readPod(api, namespace, name), isEnabled(namespace).catch(unavailable)]);
    checkPod(pod, identity);
    if (!enabled) {
      throw forbidden(`namespace ${namespace} is not labelled ${NAMESPACE_LABEL.key}=${NAMESPACE_LABEL.value}`);
    }
    const judgement = judgePod({ namespace, annotations: pod.metadata.annotations ?? {} }, config);
    if (judgement.kind === 'none') throw forbidden(`pod ${name} asks for no certificate: it has no name annotation`);
    if (judgement.kind === 'denied') throw forbidden(judgement.reasons.join('; '));
    const { spec } = judgement;
    const token = await ready.signer.mint({
      subject: spec.commonName,
      sans: spec.sans,
      caUrl: config.caUrl,
      rootFingerprint: ready.rootFingerprint,
      ...(csrFingerprint !== undefined && { csrFingerprint }),
    });
    return { caller: { namespace, pod: name }, token, spec };
  };
}

/** The fingerprint that the one-time token gets bound to; `undefined` when the caller sends no certificate request. */
function readRequest(body: unknown): string | undefined {
  if (body === undefined || body === null) return undefined;
  if (!isRecord(body)) throw invalid('the body must be an object such as {"csr": "<PEM>"}');
  const { csr } = body;
  if (csr === undefined) return undefined;
  if (typeof csr !== 'string') throw invalid('csr must be a text: a PEM certificate request');
  if (csr.length > MAX_CSR) throw invalid(`csr has ${csr.length} characters, more than ${MAX_CSR}`);
  const base64 = CSR.exec(csr)?.[1]?.replace(/\s/g, '') ?? '';
  const der = Buffer.from(base64, 'base64');
  if (der.length === 0 || der.toString('base64') !== base64) throw invalid('csr must be one PEM "CERTIFICATE REQUEST"');
  if (!isSequence(der)) throw invalid('csr holds no DER certificate request');
  return createHash('sha256').update(der).digest('base64url');
}

/** Whether all of `der` is one SEQUENCE. What is in it the CA reads; a cut one is found here. */
function isSequence(der: Buffer): boolean {
  const [tag = 0, first = 0] = der;
  const size = first < 0x80 ? 0 : first & 0x7f;
  if (tag !== 0x30 || size > 2 || der.length < 2 + size) return false;
  const length = size === 0 ? first : der.readUIntBE(2, size);
  return der.length === 2 + size + length;
}

interface Identity extends Caller {
  readonly uid: string;
  readonly serviceAccount: string;
}

interface TokenReview {
  readonly status?: {
    readonly authenticated?: boolean;
    readonly error?: string;
    readonly audiences?: readonly string[];
    readonly user?: { readonly username?: string; readonly extra?: Readonly<Record<string, readonly string[]>> };
  };
}

/** Has the API server check the service-account token, and reads from its answer which pod it is bound to. */
async function review(api: TokenPorts['api'], attestation: Secret): Promise<Identity> {
  const token = attestation.reveal();
  if (token === '' || token.length > MAX_TOKEN) throw unauthenticated('send a service-account token as Bearer');
  const audience = AttestationToken.audience;
  const { status } = await api
    .create<TokenReview>('/apis/authentication.k8s.io/v1/tokenreviews', {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenReview',
      spec: { token, audiences: [audience] },
    })
    .catch(unavailable);
  if (status?.authenticated !== true) {
    throw unauthenticated(
      `the API server does not accept the service-account token: ${status?.error || 'no reason given'}`,
    );
  }
  // An API server that knows no audiences answers without any: then the token may be meant for something else.
  if (!status.audiences?.includes(audience)) throw unauthenticated(`the token is not for the audience ${audience}`);
  const [, namespace, serviceAccount] =
    /^system:serviceaccount:([^:]+):([^:]+)$/.exec(status.user?.username ?? '') ?? [];
  const pod = status.user?.extra?.[POD_NAME]?.[0];
  const uid = status.user?.extra?.[POD_UID]?.[0];
  if (!namespace || !serviceAccount || !pod || !uid) {
    throw unauthenticated('the token is not bound to a pod; use the one that Autocert projects into the pod');
  }
  return { namespace, serviceAccount, pod, uid };
}

async function readPod(api: TokenPorts['api'], namespace: string, name: string): Promise<Pod | undefined> {
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(name)}`;
  return ifFound(api.get<Pod>(path)).catch(unavailable);
}

function checkPod(pod: Pod | undefined, { pod: name, namespace, uid, serviceAccount }: Identity): asserts pod is Pod {
  if (!pod) throw gone(`pod ${namespace}/${name} does not exist any more`);
  if (pod.metadata.uid !== uid) {
    throw gone(`the token is of an earlier pod ${namespace}/${name}, not of the one that runs now`);
  }
  if (pod.spec.serviceAccountName !== serviceAccount) {
    throw unauthenticated(`pod ${namespace}/${name} does not run as service account ${serviceAccount}`);
  }
  if (pod.metadata.deletionTimestamp) throw gone(`pod ${namespace}/${name} is being deleted`);
}

/** Whatever the API server refuses to this webhook is no fault of the caller's. */
function unavailable(cause: unknown): never {
  throw new AutocertError('UNAVAILABLE', 'the API server gave no answer', { cause });
}

function invalid(message: string): AutocertError {
  return new AutocertError('INVALID_INPUT', message);
}

function unauthenticated(message: string): AutocertError {
  return new AutocertError('UNAUTHENTICATED', message);
}

function gone(message: string): AutocertError {
  return new AutocertError('GONE', message);
}

function forbidden(message: string): AutocertError {
  return new AutocertError('FORBIDDEN', message);
}

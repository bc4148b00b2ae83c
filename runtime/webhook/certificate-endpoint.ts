/**
 * The certificate endpoint: a pod shows its service-account token and a key request, and gets a certificate for exactly
 * what its annotations ask for and the policy allows. Who asks is proven by the API server (TokenReview), what the pod
 * may have is read from the live pod and judged, at issuance and at each renewal alike. Nothing is stored.
 * @module
 */
import type { CertificateAnswer, CertificateRequestBody, PolicyConfig, RenewalInfo } from '../contract.ts';
import type { KubernetesApi } from '../kubernetes/client.ts';
import { namespaceLabels, readPod } from '../kubernetes/cluster-state.ts';
import { Allowance, Allowances } from '../lib/allowance.ts';
import { AutocertError, type ErrorCode } from '../lib/errors.ts';
import { isRecord } from '../lib/validator.ts';
import { type Claim, judge } from '../policy/judgement.ts';
import { labelOf } from '../policy/namespace-label.ts';
import type { Issuance } from '../step-ca/audit.ts';
import type { Issuer, Outage } from '../step-ca/issuer.ts';
import { readKeyRequestPem } from '../x509/certificate-request.ts';
import { type Attestation, noAnswer, review } from './attestation.ts';
import { Pacer } from './pacer.ts';

/** What the endpoint needs of the world. */
export interface CertificatePorts {
  readonly api: Pick<KubernetesApi, 'get' | 'create'>;
  readonly issuer: Pick<Issuer, 'issue' | 'outage'>;
  readonly renewal: { readonly for: (namespace: string) => RenewalInfo; readonly issued: () => void };
  /** Monotonic milliseconds. */
  readonly monotonic: () => number;
  /** In [0, 1). @default Math.random */
  readonly random?: () => number;
}

/** What was issued, and what is answered. */
export interface Issued extends Issuance {
  readonly answer: CertificateAnswer;
}

/** Answers one request; `onClaim` learns which pod asks as soon as that is proven. */
export type CertificateEndpoint = (
  attestation: Attestation,
  body: unknown,
  onClaim?: (claim: Claim) => void,
) => Promise<Issued>;

/** The endpoint, and when those are to come back whom it cannot serve. */
export interface CertificateService {
  readonly issue: CertificateEndpoint;
  /** Milliseconds for `Retry-After`; `starting`: the pod's start waits for it. */
  readonly comeBackAfter: (starting: boolean) => number;
}

/** Refusals, which asking again does not help as things are; every other error is ours or the CA's, and passes. */
export const REFUSALS: readonly ErrorCode[] = ['INVALID_INPUT', 'UNAUTHENTICATED', 'GONE', 'FORBIDDEN', 'CA_REJECTED'];

/** How long those whom the CA's outage keeps waiting are sent away for, at least. */
const STARTING_MS = { first: 1_000, longest: 20_000 } as const;
const RENEWING_MS = { first: 5_000, longest: 200_000 } as const;
/**
 * During an outage of the CA this many pods that wait for their first certificate are looked up all the same: whether
 * they are gone. Kubelet cannot end a pod while its hook waits, and nobody else tells the agent.
 */
const LOOKUPS_IN_OUTAGE = { perSecond: 0.5, burst: 10 } as const;

/**
 * Certificates of one pod: an agent wants one at its start and one at each renewal. More would fill the CA's database and
 * keep it busy.
 */
const BY_POD = { perSecond: 0.5, burst: 10 } as const;
const MAX_PODS = 10_000;

/**
 * Makes the endpoint. It throws AutocertError: `INVALID_INPUT` (the request), `UNAUTHENTICATED` (the attestation),
 * `GONE` (the pod), `FORBIDDEN` (namespace or names, as things are now), `CA_REJECTED`, `UNAVAILABLE` with the time to
 * come back (API server or CA).
 */
export function createCertificateService(policy: () => PolicyConfig, ports: CertificatePorts): CertificateService {
  const { api, issuer, renewal, monotonic, random } = ports;
  const isEnabled = namespaceLabels(api, () => labelOf(policy()), monotonic);
  const pacers = { starting: new Pacer(monotonic, random), renewing: new Pacer(monotonic, random) };
  /** Since when the API server has not answered; absent: it has. */
  let apiAwaySince: number | undefined;
  const lookups = new Allowance(monotonic, LOOKUPS_IN_OUTAGE);
  const byPod = new Allowances(monotonic, BY_POD, MAX_PODS);

  const comeBackAfter = (starting: boolean, outage?: Outage) => {
    const { first, longest } = starting ? STARTING_MS : RENEWING_MS;
    const since = outage ? monotonic() - outage.since : 0;
    return pacers[starting ? 'starting' : 'renewing'].comeBackAfter(Math.min(longest, Math.max(first, since / 10)));
  };
  const unavailable = (starting: boolean, outage: Outage, cause?: unknown) =>
    new AutocertError('UNAVAILABLE', `no certificate can be had now: ${outage.reason}`, {
      retryAfterMs: comeBackAfter(starting, outage),
      cause,
    });

  const issue: CertificateEndpoint = async (attestation, body, onClaim = () => {}) => {
    const { csr, starting } = readBody(body);
    const { outage } = issuer;
    if (outage && !(starting && lookups.take())) throw unavailable(starting, outage);
    const request = readKeyRequestPem(csr, 'csr');
    try {
      const claim = await review(api, attestation);
      onClaim(claim);
      const { namespace, podName } = claim;
      const labelled = isEnabled(namespace).catch(noAnswer);
      const [pod, namespaceEnabled] = await Promise.all([readPod(api, namespace, podName).catch(noAnswer), labelled]);
      apiAwaySince = undefined;
      const verdict = judge(claim, { pod, namespaceEnabled, policy: policy() });
      if (verdict.kind === 'refused')
        throw new AutocertError(verdict.code, verdict.message, { reason: verdict.reason });
      if (outage) throw unavailable(starting, outage);
      if (!byPod.take(claim.podUID)) throw tooOften(claim, comeBackAfter(starting));
      const { commonName, sans } = verdict.spec;
      const { lifetimeMs } = verdict;
      // Before the CA is asked: without roots to hand out a certificate is of no use.
      const info = renewal.for(namespace);
      const issued = await issuer.issue({ request, sans, lifetimeMs, ...(commonName !== undefined && { commonName }) });
      renewal.issued();
      return {
        answer: { certificate: issued.chainPem.join(''), renewal: info },
        names: [...new Set([...(commonName === undefined ? [] : [commonName]), ...sans])],
        serial: issued.serial,
        notAfter: issued.validity.notAfter,
        purpose: starting ? 'starting' : 'renewal',
      };
    } catch (error) {
      const known = error instanceof AutocertError ? error : undefined;
      const hasTime = known?.code === 'UNAVAILABLE' && known.retryAfterMs !== undefined;
      if (hasTime || (known && REFUSALS.includes(known.code))) throw error;
      if (issuer.outage) throw unavailable(starting, issuer.outage, error);
      apiAwaySince ??= monotonic();
      const reason = known?.code === 'UNAVAILABLE' ? known.message : 'an internal error';
      throw unavailable(starting, { reason, since: apiAwaySince }, error);
    }
  };
  return { issue, comeBackAfter: (starting) => comeBackAfter(starting) };
}

function tooOften({ namespace, podName }: Claim, retryAfterMs: number): AutocertError {
  const message = `pod ${namespace}/${podName} has had ${BY_POD.burst} certificates just now; it gets one in ${1 / BY_POD.perSecond} s`;
  return new AutocertError('UNAVAILABLE', message, { status: 429, retryAfterMs, reason: 'TooOften' });
}

function readBody(body: unknown): Required<CertificateRequestBody> {
  if (!isRecord(body)) throw invalid('the body must be an object such as {"csr": "<PEM>"}');
  const { csr, starting = false } = body as Partial<Record<keyof CertificateRequestBody, unknown>>;
  if (typeof csr !== 'string') throw invalid('csr must be a string: a certificate request (PKCS#10) in PEM');
  if (typeof starting !== 'boolean') throw invalid('starting must be true or false');
  return { csr, starting };
}

function invalid(message: string): AutocertError {
  return new AutocertError('INVALID_INPUT', message);
}

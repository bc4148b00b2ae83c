/**
 * One request from watch event to status: read the pod, judge, have the CA sign, verify, write. Whatever happens is
 * turned into an answer; nothing is thrown.
 *
 * `Denied` and `Failed` are final: kubelet never asks again for that pod. So they are kept for what will not change,
 * and everything else is tried again until kubelet gives the request up (the API server deletes it after 15 minutes,
 * and kubelet then makes another): a CA that is away for an hour costs no pod its life.
 * @module
 */
import { X509Certificate } from 'node:crypto';
import type { PolicyConfig, SignerConfig } from '../contract.ts';
import { CaAnswerError } from '../step-ca/client.ts';
import { type Validity, validityOf, verifyChain } from '../x509/certificate.ts';
import { AutocertError, type ErrorCode, messageOf } from '../lib/errors.ts';
import type { SignOrder } from './ca-session.ts';
import { judgeRequest, type LivePod, type Order, type Refusal } from './judge-request.ts';
import { ApiLimit, csrOf, type PodCertificateRequest, type RequestStatus } from './pod-certificate-request.ts';
import { deniedStatus, failedStatus, issuedStatus } from './request-status.ts';
import type { StubRequest } from './stub-request.ts';

/** Effects. All may throw `UNAVAILABLE`. */
export interface AnswerPorts {
  /** `undefined`: no such pod. */
  readonly readPod: (namespace: string, name: string) => Promise<LivePod | undefined>;
  readonly namespaceEnabled: (namespace: string) => Promise<boolean>;
  readonly sign: (order: SignOrder) => Promise<readonly string[]>;
  readonly roots: () => Promise<readonly string[]>;
  /** `stale`: the request has changed or gone since it was read, so that somebody else has answered or nobody cares. */
  readonly writeStatus: (request: PodCertificateRequest, status: RequestStatus) => Promise<'written' | 'stale'>;
  /** Called when the CA refuses: its key or root may have been replaced. */
  readonly distrust: () => void;
  readonly now: () => Date;
}

/** What came of an attempt. */
export type Answer =
  | { readonly kind: 'issued'; readonly names: readonly string[]; readonly serial: string; readonly notAfter: Date }
  | { readonly kind: 'denied' | 'failed'; readonly reason: string; readonly message: string }
  | { readonly kind: 'stale' }
  /** Try this request again. */
  | { readonly kind: 'again'; readonly message: string }
  /** A peer is down: try all again later. */
  | { readonly kind: 'unavailable'; readonly message: string };

/** step-ca's default; the first certificate that differs corrects it. */
const DEFAULT_BACKDATE_MS = 60_000;
/** Refusals by the CA before a request has failed for good; between them the session is opened anew. */
const REFUSALS_BEFORE_FAILED = 2;
/** These concern every request alike. */
const PEER_DOWN: readonly (ErrorCode | undefined)[] = ['UNAVAILABLE', 'UNTRUSTED', 'WRONG_PASSWORD', 'INVALID_CONFIG'];
/** By this status the CA does not know our token's key (any more), or its clock differs: nothing that the pod has done. */
const TOKEN_REFUSED = 401;

/** Answers requests; remembers only how far the CA dates back. */
export class Answerer {
  readonly #policy: PolicyConfig & Pick<SignerConfig, 'renewAt'>;
  readonly #ports: AnswerPorts;
  #backdateMs = DEFAULT_BACKDATE_MS;

  constructor(policy: PolicyConfig & Pick<SignerConfig, 'renewAt'>, ports: AnswerPorts) {
    this.#policy = policy;
    this.#ports = ports;
  }

  /** `attempt` counts from 1. */
  async answer(request: PodCertificateRequest, attempt: number): Promise<Answer> {
    try {
      return await this.#answer(request);
    } catch (error) {
      const message = messageOf(error);
      const code = error instanceof AutocertError ? error.code : undefined;
      if (code === 'CA_REJECTED' || code === 'UNTRUSTED') this.#ports.distrust();
      const tokenRefused = error instanceof CaAnswerError && error.status === TOKEN_REFUSED;
      if (PEER_DOWN.includes(code) || tokenRefused) return { kind: 'unavailable', message };
      if (code === 'CA_REJECTED' && attempt >= REFUSALS_BEFORE_FAILED) return this.#fail(request, message);
      return { kind: 'again', message };
    }
  }

  async #answer(request: PodCertificateRequest): Promise<Answer> {
    const ports = this.#ports;
    const csr = readCsr(request);
    if ('reason' in csr) return this.#deny(request, csr);
    const { namespace } = request.metadata;
    const [pod, namespaceEnabled] = await Promise.all([
      ports.readPod(namespace, request.spec.podName),
      ports.namespaceEnabled(namespace),
    ]);
    const circumstances = { pod, namespaceEnabled, policy: this.#policy, backdateMs: this.#backdateMs };
    const judgement = judgeRequest(request, circumstances);
    return judgement.kind === 'refusal' ? this.#deny(request, judgement) : this.#issue(request, csr, judgement);
  }

  async #issue(request: PodCertificateRequest, csr: StubRequest, order: Order): Promise<Answer> {
    const ports = this.#ports;
    const { commonName, sans, durationMs } = order;
    const { csrPem, fingerprint: csrFingerprint } = csr;
    const chain = await ports.sign({ csrPem, csrFingerprint, commonName, sans, durationMs });
    verifyChain(chain, await ports.roots(), ports.now());
    const leaf = new X509Certificate(chain[0] ?? '');
    if (!leaf.publicKey.equals(csr.publicKey))
      throw new AutocertError('UNTRUSTED', 'the CA signed another key than the requested one');
    const validity = validityOf(chain[0] ?? '');
    const misfit = this.#misfit(request, validity, durationMs);
    if (misfit) return { kind: 'again', message: misfit };
    const result = await ports.writeStatus(request, issuedStatus(chain, validity, ports.now(), this.#policy.renewAt));
    if (result === 'stale') return { kind: 'stale' };
    return {
      kind: 'issued',
      names: [...new Set([commonName, ...sans])],
      serial: leaf.serialNumber,
      notAfter: validity.notAfter,
    };
  }

  /**
   * What the API would refuse, by a second's rounding or since the CA dates back by other than the usual minute. The
   * next attempt asks for a lifetime that fits.
   */
  #misfit(request: PodCertificateRequest, { notBefore, notAfter }: Validity, durationMs: number): string | undefined {
    const lifetimeMs = notAfter.getTime() - notBefore.getTime();
    const mostMs = (request.spec.maxExpirationSeconds ?? 86_400) * 1000;
    if (lifetimeMs >= ApiLimit.minLifetimeMs && lifetimeMs <= mostMs) return undefined;
    const backdateMs = Math.round((lifetimeMs - durationMs) / 1000) * 1000;
    // One second less is rounding, not the CA's setting.
    if (Math.abs(backdateMs - this.#backdateMs) > 1000) this.#backdateMs = backdateMs;
    return `the CA gave a lifetime of ${lifetimeMs / 1000} s, the API takes ${ApiLimit.minLifetimeMs / 1000} to ${mostMs / 1000} s`;
  }

  async #deny(request: PodCertificateRequest, { reason, message }: Refusal): Promise<Answer> {
    const status = deniedStatus(reason, message, this.#ports.now());
    const result = await this.#ports.writeStatus(request, status);
    return result === 'stale' ? { kind: 'stale' } : { kind: 'denied', reason, message };
  }

  async #fail(request: PodCertificateRequest, message: string): Promise<Answer> {
    const reason = 'RejectedByCA';
    try {
      const result = await this.#ports.writeStatus(request, failedStatus(reason, message, this.#ports.now()));
      return result === 'stale' ? { kind: 'stale' } : { kind: 'failed', reason, message };
    } catch (error) {
      return { kind: 'again', message: messageOf(error) };
    }
  }
}

function readCsr(request: PodCertificateRequest): StubRequest | Refusal {
  try {
    return csrOf(request);
  } catch (error) {
    return { kind: 'refusal', reason: 'InvalidRequest', message: messageOf(error) };
  }
}

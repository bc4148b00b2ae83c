/**
 * Brings one request from its watch event to its status: read the pod, judge, have the CA sign, write. Whatever happens
 * is turned into a result; nothing is thrown.
 *
 * Kubelet keeps `Denied` and `Failed` for ever. So only what can never change is said at once. Everything else (a label,
 * a policy, a CA that refuses) is tried again until kubelet is about to give the request up, and is then said; meanwhile
 * an event on the pod tells why it waits.
 * @module
 */
import type { PolicyConfig, SignerConfig } from '../contract.ts';
import type { PodReference } from '../kubernetes/events.ts';
import { AutocertError, type ErrorCode, messageOf } from '../lib/errors.ts';
import type { Circumstances } from '../policy/judgement.ts';
import { BACKDATE_MS, POD_CERTIFICATE } from '../policy/lifetimes.ts';
import type { Purpose } from '../step-ca/certificate-metrics.ts';
import type { IssuedCertificate, Issuer } from '../step-ca/issuer.ts';
import { DEFAULT_MAX_SECONDS, judgeRequest, type Order, type Refusal, readRequest } from './judge-request.ts';
import {
  ApiLimit,
  type Issued,
  type PodCertificateRequest,
  type RequestStatus,
  type Work,
} from './pod-certificate-request.ts';
import { issuedStatus, refreshAt, refusedStatus, windowOf } from './request-status.ts';

/** Effects. All but `issue` may throw whatever the API server answers. */
export interface ReconcilerPorts {
  /** As it is now: it is followed while the signer runs. */
  readonly policy: () => PolicyConfig & Pick<SignerConfig, 'renewAt'>;
  /** `undefined`: no such pod. */
  readonly readPod: (namespace: string, name: string) => Promise<Circumstances['pod']>;
  readonly namespaceEnabled: (namespace: string) => Promise<boolean>;
  readonly issue: Issuer['issue'];
  /** `stale`: the request is gone, so that nobody cares. */
  readonly writeStatus: (request: PodCertificateRequest, status: RequestStatus) => Promise<'written' | 'stale'>;
  readonly recordEvent: (pod: PodReference, reason: string, message: string) => void;
  readonly now: () => Date;
  /** Monotonic milliseconds. */
  readonly monotonic: () => number;
  /** In [0, 1). */
  readonly random: () => number;
}

/** What came of an attempt. */
export type Result =
  | Issued
  /** Final. */
  | { readonly kind: 'denied' | 'failed'; readonly reason: string; readonly message: string }
  /** The request is gone. */
  | { readonly kind: 'stale' }
  /** Not final: it is tried again, after `leastMs` at the earliest. */
  | {
      readonly kind: 'refused';
      readonly reason: string;
      readonly message: string;
      readonly leastMs?: number | undefined;
    }
  /** It could not be brought to an end; try this request again. */
  | { readonly kind: 'again'; readonly message: string }
  /** A peer is down; try all again later, after `leastMs` at the earliest. */
  | { readonly kind: 'unavailable'; readonly message: string; readonly leastMs?: number | undefined };

/** A refusal that is not final has been seen for so long before it is said: this replica may be the one that is late. */
const SEEN_FOR_MS = 120_000;
/** A kept certificate is signed anew when it is this near to what the API still takes, but not sooner than after… */
const TOLERANCE_LEFT_MS = 30_000;
/** …this time, however far the CA dates back. */
const LEAST_KEPT_MS = 120_000;
/** No CA dates back further. */
const MOST_BACKDATE_MS = 3_600_000;
/** A CA that gives other lifetimes than it is asked for is asked again no sooner, once its back-dating is known. */
const MISFIT_PAUSE_MS = 60_000;
/** While reading or signing, these concern every request alike. */
const PEER_DOWN: readonly ErrorCode[] = [
  'UNAVAILABLE',
  'UNTRUSTED',
  'WRONG_PASSWORD',
  'INVALID_CONFIG',
  'UNAUTHENTICATED',
  'FORBIDDEN',
];

/** See the module's header. Remembers nothing but how far the CA dates back; the rest is in the {@link Work}. */
export class Reconciler {
  readonly #ports: ReconcilerPorts;
  #backdateMs = BACKDATE_MS;

  constructor(ports: ReconcilerPorts) {
    this.#ports = ports;
  }

  /** One attempt. */
  async reconcile(work: Work): Promise<Result> {
    try {
      const written = await this.#writeKept(work);
      return written ?? (await this.#judge(work));
    } catch (error) {
      return failure(error);
    }
  }

  async #judge(work: Work): Promise<Result> {
    const ports = this.#ports;
    const { request } = work;
    const key = readRequest(request);
    if ('kind' in key) return this.#conclude(work, 'Denied', key);
    const { namespace } = request.metadata;
    const [pod, namespaceEnabled] = await Promise.all([
      ports.readPod(namespace, request.spec.podName),
      ports.namespaceEnabled(namespace),
    ]);
    const circumstances = { pod, namespaceEnabled, policy: ports.policy(), backdateMs: this.#backdateMs };
    const judgement = judgeRequest(request, key, circumstances);
    if (judgement.kind === 'order') {
      if (work.refused?.type === 'Denied') work.refused = undefined;
      // Kubelet starts no container of a pod whose volumes are not there yet.
      return this.#issue(work, judgement, pod?.status?.phase === 'Pending' ? 'starting' : 'renewal');
    }
    return judgement.final ? this.#conclude(work, 'Denied', judgement) : this.#refuse(work, 'Denied', judgement);
  }

  async #issue(work: Work, order: Order, purpose: Purpose): Promise<Result> {
    const ports = this.#ports;
    const issued = await ports.issue(order).catch((error: unknown) => {
      if (error instanceof AutocertError && error.code === 'CA_REJECTED') return messageOf(error);
      throw error;
    });
    if (typeof issued === 'string') return this.#refuse(work, 'Failed', { reason: 'RejectedByCA', message: issued });
    work.signatures += 1;
    const message = this.#misfit(work.request, issued, order);
    if (message !== undefined) {
      if (work.signatures === 1) return { kind: 'again', message };
      return this.#refuse(work, 'Failed', { reason: 'LifetimeDoesNotFit', message }, MISFIT_PAUSE_MS);
    }
    return this.#keep(work, order, issued, purpose);
  }

  /**
   * What the API would refuse, by a second's rounding or since the CA dates back by other than the usual minute. The
   * next attempt asks for a lifetime that fits.
   */
  #misfit({ spec }: PodCertificateRequest, { validity }: IssuedCertificate, order: Order): string | undefined {
    const givenMs = validity.notAfter.getTime() - validity.notBefore.getTime();
    const mostMs = (spec.maxExpirationSeconds ?? DEFAULT_MAX_SECONDS) * 1000;
    if (givenMs >= POD_CERTIFICATE.leastMs && givenMs <= mostMs) return undefined;
    const backdateMs = Math.round((givenMs - order.lifetimeMs) / 1000) * 1000;
    // One second less is rounding, and a wholly different lifetime no back-dating.
    const isNews = Math.abs(backdateMs - this.#backdateMs) > 1000;
    if (isNews && backdateMs >= 0 && backdateMs <= MOST_BACKDATE_MS) this.#backdateMs = backdateMs;
    return `the CA gave a lifetime of ${givenMs / 1000} s, the API takes ${POD_CERTIFICATE.leastMs / 1000} to ${mostMs / 1000} s`;
  }

  /** Writes the certificate. It is kept until that is done: a refused write signs no other. */
  async #keep(work: Work, order: Order, issued: IssuedCertificate, purpose: Purpose): Promise<Result> {
    const { now, monotonic, random, policy } = this.#ports;
    const { validity, serial } = issued;
    const at = now();
    const agedMs = at.getTime() - validity.notBefore.getTime();
    const leftMs = ApiLimit.notBeforeToleranceMs - TOLERANCE_LEFT_MS - agedMs;
    const { commonName, sans } = order;
    const renewal = refreshAt(validity, windowOf(policy().renewAt), random());
    work.kept = {
      status: issuedStatus(issued, at, renewal),
      csr: work.request.spec.stubPKCS10Request,
      goodUntil: monotonic() + Math.max(LEAST_KEPT_MS, leftMs),
      result: {
        kind: 'issued',
        names: [...new Set([...(commonName === undefined ? [] : [commonName]), ...sans])],
        serial,
        ...validity,
        refreshAt: renewal,
        purpose,
      },
    };
    return this.#write(work, work.kept.status, work.kept.result);
  }

  /** `undefined`: nothing is kept that would do. */
  async #writeKept(work: Work): Promise<Result | undefined> {
    const { kept } = work;
    if (!kept) return undefined;
    const fits = kept.csr === work.request.spec.stubPKCS10Request && this.#ports.monotonic() < kept.goodUntil;
    if (fits) return this.#write(work, kept.status, kept.result);
    work.kept = undefined;
    return undefined;
  }

  /** Not final yet, unless kubelet is about to give the request up. */
  async #refuse(
    work: Work,
    type: 'Denied' | 'Failed',
    refusal: Omit<Refusal, 'kind' | 'final'>,
    leastMs?: number,
  ): Promise<Result> {
    const { monotonic, recordEvent } = this.#ports;
    const { reason, message } = refusal;
    if (work.refused?.type !== type) work.refused = { type, since: monotonic() };
    if (monotonic() >= Math.max(work.nearTheEndAt, work.refused.since + SEEN_FOR_MS)) {
      return this.#conclude(work, type, refusal);
    }
    const { metadata, spec } = work.request;
    recordEvent({ namespace: metadata.namespace, name: spec.podName, uid: spec.podUID }, reason, message);
    return { kind: 'refused', reason, message, leastMs };
  }

  async #conclude(
    work: Work,
    type: 'Denied' | 'Failed',
    { reason, message }: Omit<Refusal, 'kind' | 'final'>,
  ): Promise<Result> {
    const status = refusedStatus(type, reason, message, this.#ports.now());
    return this.#write(work, status, { kind: type === 'Denied' ? 'denied' : 'failed', reason, message });
  }

  /** What the API server refuses concerns this request alone; a conflict ends when the watch brings the newer version. */
  async #write(work: Work, status: RequestStatus, result: Result): Promise<Result> {
    try {
      return (await this.#ports.writeStatus(work.request, status)) === 'stale' ? { kind: 'stale' } : result;
    } catch (error) {
      if (error instanceof AutocertError && error.code === 'UNAVAILABLE') throw error;
      return { kind: 'again', message: messageOf(error) };
    }
  }
}

function failure(error: unknown): Result {
  const message = messageOf(error);
  if (!(error instanceof AutocertError) || !PEER_DOWN.includes(error.code)) return { kind: 'again', message };
  return { kind: 'unavailable', message, leastMs: error.retryAfterMs };
}

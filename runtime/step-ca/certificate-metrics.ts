/**
 * What webhook and signer tell Prometheus of certificates, under the same names: how many pods got, and did not get, and
 * when those of the PKI expire. Every set of labels is bounded.
 * @module
 */
import { X509Certificate } from 'node:crypto';
import type { Delivery } from '../contract.ts';
import type { Metrics, Sample } from '../lib/metrics.ts';

/** How a certificate was delivered. */
export type Delivered = Exclude<Delivery, 'auto'>;

/** What a certificate is for: the pod waits for its first one, or has one that is to be replaced. */
export type Purpose = 'starting' | 'renewal';

/** Counts what came of requests for a pod's certificate. */
export interface CertificateCounters {
  issued(purpose: Purpose): void;
  /** The policy or the CA says no. `reason`: that of the judgement, or a code of {@link AutocertError}. */
  refused(reason: string): void;
  /** None could be had for now. */
  failed(reason: string): void;
}

/** Reasons that are labels; whatever else there may be is `Other`. In words of the Kubernetes API: CamelCase. */
const REASONS: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    [
      ...['PodNotFound', 'PodReplaced', 'PodTerminating', 'PodFinished', 'MirrorPod', 'WrongNode'],
      ...['WrongServiceAccount', 'NamespaceExcluded', 'NamespaceNotEnabled', 'NoName', 'NotAllowed', 'NotInjected'],
      ...['InvalidRequest', 'InvalidUnverifiedUserAnnotations', 'LifetimeTooShort', 'LifetimeDoesNotFit'],
      ...['RejectedByCA', 'Busy'],
    ].map((reason) => [reason, reason]),
  ),
  INVALID_INPUT: 'InvalidRequest',
  UNAUTHENTICATED: 'Unauthenticated',
  CA_REJECTED: 'RejectedByCA',
  UNAVAILABLE: 'Unavailable',
  UNTRUSTED: 'Untrusted',
  INVALID_CONFIG: 'InvalidConfig',
  WRONG_PASSWORD: 'WrongPassword',
};

/** Counters of one way of delivery. */
export function certificateCounters(metrics: Metrics, delivery: Delivered): CertificateCounters {
  const issued = metrics.counter('certificates_issued_total', 'Certificates issued to pods.', ['delivery', 'purpose']);
  const refused = metrics.counter(
    'certificates_refused_total',
    'Requests for a certificate that the policy or the CA refused, each attempt counted.',
    ['delivery', 'reason'],
  );
  const failed = metrics.counter(
    'certificates_failed_total',
    'Requests for a certificate that could not be answered for now, each attempt counted.',
    ['delivery', 'reason'],
  );
  // A counter that begins at 1 has no rate.
  for (const purpose of ['starting', 'renewal']) issued.inc({ delivery, purpose }, 0);
  for (const reason of ['NotAllowed', 'RejectedByCA']) refused.inc({ delivery, reason }, 0);
  failed.inc({ delivery, reason: 'Unavailable' }, 0);
  return {
    issued: (purpose) => issued.inc({ delivery, purpose }),
    refused: (reason) => refused.inc({ delivery, reason: reasonLabel(reason) }),
    failed: (reason) => failed.inc({ delivery, reason: reasonLabel(reason) }),
  };
}

/** The reason as metrics and Events name it, of a reason or a code of {@link AutocertError}; `Other` if none is foreseen. */
export function reasonLabel(reason: string): string {
  return (Object.hasOwn(REASONS, reason) ? REASONS[reason] : undefined) ?? 'Other';
}

/** Certificates of the PKI, each PEM, by what they are. */
export type PkiCertificates = Readonly<Partial<Record<'serving' | 'intermediate' | 'root', readonly string[]>>>;

/** Certificates of one kind that are told of: two roots while one replaces the other, and those of federated CAs. */
const MOST_OF_A_KIND = 8;
/** As much of the SHA-256 fingerprint as tells them apart. */
const FINGERPRINT_LENGTH = 16;

/** Gauges of when they become valid and expire; `current` is asked at each scrape. */
export function certificateValidity(metrics: Metrics, current: () => PkiCertificates): void {
  const known = new Map<string, X509Certificate>();
  const samples = function* (time: 'validFromDate' | 'validToDate'): Iterable<Sample<'kind' | 'fingerprint'>> {
    const kinds = Object.entries(current());
    const pems = new Set(kinds.flatMap(([, list]) => list));
    for (const pem of known.keys()) if (!pems.has(pem)) known.delete(pem);
    for (const [kind, list] of kinds) {
      for (const pem of list.slice(0, MOST_OF_A_KIND)) {
        const certificate = known.get(pem) ?? new X509Certificate(pem);
        known.set(pem, certificate);
        const fingerprint = certificate.fingerprint256.replaceAll(':', '').toLowerCase().slice(0, FINGERPRINT_LENGTH);
        yield { labels: { kind, fingerprint }, value: certificate[time].getTime() / 1000 };
      }
    }
  };
  const labels = ['kind', 'fingerprint'] as const;
  const what = 'of the serving certificate, the intermediates and the roots in use';
  metrics.observed('certificate_not_before_timestamp_seconds', `notBefore ${what}, Unix time.`, labels, () =>
    samples('validFromDate'),
  );
  metrics.observed('certificate_not_after_timestamp_seconds', `notAfter ${what}, Unix time.`, labels, () =>
    samples('validToDate'),
  );
}

/** 1: the CA answered when it was last asked; nothing where nobody asks it. */
export function caAvailability(metrics: Metrics, isUp: () => boolean | undefined): void {
  metrics.observed('ca_up', '1: the CA answers and signs, as far as is known; 0: it does not.', [], () => {
    const up = isUp();
    return up === undefined ? [] : [{ labels: {}, value: up ? 1 : 0 }];
  });
}

/**
 * The signer's figures.
 * @module
 */
import { createMetrics, type Metrics } from '../lib/metrics.ts';
import { certificateCounters } from '../step-ca/certificate-metrics.ts';
import type { Result } from './reconciler.ts';

/** What the signer counts. */
export interface SignerMetrics {
  /** `seconds`: from when this leader saw the request to the end of this attempt. */
  attempted(result: Result, seconds: number): void;
  /** Requests that wait or are in work. */
  waiting(count: number): void;
  leading(yes: boolean): void;
  /** Whether the last attempt to publish the trust bundle succeeded. */
  published(yes: boolean): void;
  /** Whether the `caBundle` of the webhook's configuration is right, at that time; to be told by the leader only. */
  caBundle(isCurrent: boolean, at: Date): void;
  /** The text that Prometheus scrapes. */
  render(): Promise<string>;
  readonly contentType: string;
}

const FINAL: readonly Result['kind'][] = ['issued', 'denied', 'failed'];

/** Metrics of this process, added to `metrics`. */
export function signerMetrics(
  metrics: Metrics = createMetrics({ process: true }),
  now: () => Date = () => new Date(),
): SignerMetrics {
  const certificates = certificateCounters(metrics, 'native');
  const attempts = metrics.counter('signer_attempts_total', 'Attempts to answer a PodCertificateRequest, by result.', [
    'result',
  ]);
  const seconds = metrics.seconds(
    'signer_answer_duration_seconds',
    'From the watch event of a PodCertificateRequest to its final status, by result.',
    ['result'],
  );
  const waiting = metrics.gauge('signer_requests_waiting', 'PodCertificateRequests that wait or are in work.', []);
  const leader = metrics.gauge('signer_leader', '1: this replica is the leader.', []);
  /** When it was published last, Unix time; 0: this leader could not do so yet. */
  let bundleAt: number | undefined;
  metrics.observed(
    'trust_bundle_published_timestamp_seconds',
    'When the leader last published the trust bundle, Unix time; 0: it could not do so yet. Told by the leader only.',
    [],
    () => (bundleAt === undefined ? [] : [{ labels: {}, value: bundleAt }]),
  );
  let caBundle: { readonly isCurrent: boolean; readonly currentAt: Date | undefined } | undefined;
  metrics.observed(
    'signer_ca_bundle_current',
    "1: the API server trusts the webhook by the CA's roots; 0: the webhook's configuration is missing, or its caBundle cannot be written. Told by the leader only.",
    [],
    () => (caBundle ? [{ labels: {}, value: caBundle.isCurrent ? 1 : 0 }] : []),
  );
  metrics.observed(
    'signer_ca_bundle_current_timestamp_seconds',
    "When the leader last found or made the caBundle of the webhook's configuration right, Unix time.",
    [],
    () => (caBundle?.currentAt ? [{ labels: {}, value: caBundle.currentAt.getTime() / 1000 }] : []),
  );
  return {
    attempted: (result, took) => {
      const { kind } = result;
      attempts.inc({ result: kind });
      if (kind === 'issued') certificates.issued(result.purpose);
      else if (kind === 'again') certificates.failed('Other');
      else if (kind === 'unavailable') certificates.failed('UNAVAILABLE');
      else if (kind !== 'stale') certificates.refused(result.reason);
      if (FINAL.includes(kind)) seconds.observe({ result: kind }, took);
    },
    waiting: (count) => waiting.set(count),
    leading: (yes) => {
      leader.set(yes ? 1 : 0);
      if (yes) return;
      caBundle = undefined;
      bundleAt = undefined;
    },
    published: (yes) => {
      bundleAt = yes ? now().getTime() / 1000 : (bundleAt ?? 0);
    },
    caBundle: (isCurrent, at) => {
      caBundle = { isCurrent, currentAt: isCurrent ? at : caBundle?.currentAt };
    },
    render: () => metrics.render(),
    contentType: metrics.contentType,
  };
}

/**
 * The signer's figures.
 * @module
 */
import { createMetrics } from '../lib/metrics.ts';
import type { Result } from './reconciler.ts';

/** What the signer counts. */
export interface SignerMetrics {
  /** `seconds`: from the watch event to the end of this attempt. */
  attempted(kind: Result['kind'], seconds: number): void;
  /** Requests that wait or are in work. */
  waiting(count: number): void;
  leading(yes: boolean): void;
  /** Whether the last attempt to publish the trust bundle succeeded. */
  published(yes: boolean): void;
  /** The text that Prometheus scrapes. */
  render(): Promise<string>;
  readonly contentType: string;
}

const FINAL: readonly Result['kind'][] = ['issued', 'denied', 'failed'];

/** Metrics of this process. */
export function signerMetrics(): SignerMetrics {
  const metrics = createMetrics({ process: true });
  const attempts = metrics.counter('signer_attempts_total', 'Attempts to answer a PodCertificateRequest, by result.', [
    'result',
  ]);
  const seconds = metrics.seconds(
    'signer_answer_seconds',
    'From the watch event of a PodCertificateRequest to its final status, by result.',
    ['result'],
  );
  const waiting = metrics.gauge('signer_requests_waiting', 'PodCertificateRequests that wait or are in work.', []);
  const leader = metrics.gauge('signer_leader', '1: this replica is the leader.', []);
  const bundle = metrics.gauge(
    'signer_trust_bundle_published',
    '1: the trust bundle is up to date; 0: the leader cannot read the roots, or cannot publish them.',
    [],
  );
  return {
    attempted: (kind, took) => {
      attempts.inc({ result: kind });
      if (FINAL.includes(kind)) seconds.observe({ result: kind }, took);
    },
    waiting: (count) => waiting.set(count),
    leading: (yes) => leader.set(yes ? 1 : 0),
    published: (yes) => bundle.set(yes ? 1 : 0),
    render: () => metrics.render(),
    contentType: metrics.contentType,
  };
}

/**
 * The certificates that the webhook's replicas serve with, as their metrics tell, through the API server's proxy. Reads only.
 * @module
 */
import type { V1Pod } from '@kubernetes/client-node';
import { WEBHOOK_HEALTH_PORT } from '../../contract.ts';
import { isHidden } from '../../kubernetes/cluster-state.ts';
import type { Page } from '../../kubernetes/pages.ts';
import type { Connection } from '../cluster-connection.ts';

/** Of one replica. */
export interface ServingCertificate {
  readonly pod: string;
  /** RFC 3339. */
  readonly notAfter: string;
  /** The first digits of the SHA-256 fingerprint. */
  readonly fingerprint: string;
}

/** Replicas that are asked, and characters of the metrics of each that are looked at. */
const MAX = { replicas: 10, text: 1 << 20 } as const;
const QUERY = { labelSelector: 'app=autocert', limit: String(MAX.replicas) };
const SAMPLE =
  /^autocert_certificate_not_after_timestamp_seconds\{kind="serving",fingerprint="([0-9a-f]{16})"\} ([\d.e+]{1,20})$/m;

/**
 * All that tell. Who may not list pods, or not reach them through the API server, learns of none.
 * @throws AutocertError `UNAVAILABLE` when the API server does not answer
 */
export async function readServing({ api }: Connection, namespace: string): Promise<readonly ServingCertificate[]> {
  const path = `/api/v1/namespaces/${namespace}/pods`;
  const { items } = await api.request<Page<V1Pod>>('GET', path, { query: QUERY }).catch(noneIfRefused);
  const found = await Promise.all(
    (items ?? []).slice(0, MAX.replicas).map(async ({ metadata }) => {
      const pod = metadata?.name ?? '';
      const { status, text } = await api.text(`${path}/${pod}:${WEBHOOK_HEALTH_PORT}/proxy/metrics`);
      return status === 200 ? servingOf(pod, text) : undefined;
    }),
  );
  return found.filter((each) => each !== undefined);
}

/** Of one replica, from its metrics. */
export function servingOf(pod: string, metrics: string): ServingCertificate | undefined {
  const [, fingerprint, seconds] = SAMPLE.exec(metrics.slice(0, MAX.text)) ?? [];
  const notAfter = new Date(Number(seconds) * 1000);
  if (fingerprint === undefined || Number.isNaN(notAfter.getTime())) return undefined;
  return { pod, notAfter: notAfter.toISOString(), fingerprint };
}

function noneIfRefused(error: unknown): Page<V1Pod> {
  if (isHidden(error)) return {};
  throw error;
}

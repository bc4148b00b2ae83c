/**
 * What the webhook has last told of pods, by Events: the certificate that an agent got (where `issuanceEvents` is on), and
 * why it got none. The API server keeps Events for an hour, and whoever may write them in a namespace may write others.
 * @module
 */
import type { CoreV1Event } from '@kubernetes/client-node';
import type { KubernetesApi } from '../../kubernetes/client.ts';
import { isHidden } from '../../kubernetes/cluster-state.ts';
import { type Page, pages } from '../../kubernetes/pages.ts';
import { ISSUED_REASON, readIssuedMessage } from '../../step-ca/audit.ts';

/** The certificate that a pod's agent got last. Times are RFC 3339. */
export interface IssuedCertificate {
  readonly serial: string;
  readonly issuedAt: string;
  readonly notAfter: string;
}

/** Why a pod got none, since its last certificate. */
export interface Warning {
  readonly reason: string;
  readonly message: string;
  /** RFC 3339. */
  readonly at: string;
}

/** What is known of a pod. */
export interface PodNews {
  readonly certificate?: IssuedCertificate;
  readonly warning?: Warning;
}

/** News by the pod's UID. */
export type News = ReadonlyMap<string, PodNews>;

/** Of the webhook alone: what the signer does is in kubelet's requests. */
const OURS = { fieldSelector: 'source=autocert,involvedObject.kind=Pod' };

/**
 * The news of a namespace, or of all of them. Who may not read Events has none.
 * @param max most pods
 * @throws AutocertError what else the API server answers
 */
export async function readNews(
  api: Pick<KubernetesApi, 'request'>,
  namespace: string | undefined,
  max: number,
): Promise<News> {
  const scope = namespace === undefined ? '' : `/namespaces/${namespace}`;
  const news = new Map<string, PodNews>();
  try {
    for await (const page of pages<CoreV1Event>(api, `/api/v1${scope}/events`, { query: OURS })) keep(page, news, max);
  } catch (error) {
    if (!isHidden(error)) throw error;
  }
  return new Map([...news].map(([uid, known]) => [uid, current(known)]));
}

function keep({ items }: Page<CoreV1Event>, news: Map<string, PodNews>, max: number): void {
  for (const event of items ?? []) {
    const uid = event.involvedObject?.uid ?? '';
    const known = news.get(uid);
    if (uid !== '' && (known || news.size < max)) news.set(uid, { ...known, ...newer(known, event) });
  }
}

function newer(known: PodNews | undefined, { type, reason = '', message = '', lastTimestamp }: CoreV1Event): PodNews {
  const at = new Date(lastTimestamp ?? Number.NaN);
  if (Number.isNaN(at.getTime())) return {};
  const time = at.toISOString();
  if (type === 'Warning') return time >= (known?.warning?.at ?? '') ? { warning: { reason, message, at: time } } : {};
  const issued = reason === ISSUED_REASON ? readIssuedMessage(message) : undefined;
  const notAfter = issued?.notAfter.toISOString() ?? '';
  if (!issued || notAfter <= (known?.certificate?.notAfter ?? '')) return {};
  return { certificate: { serial: issued.serial, issuedAt: time, notAfter } };
}

/** A warning is over when a certificate came after it. */
function current({ certificate, warning }: PodNews): PodNews {
  const isOver = certificate && warning && certificate.issuedAt >= warning.at;
  return { ...(certificate && { certificate }), ...(warning && !isOver && { warning }) };
}

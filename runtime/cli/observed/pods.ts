/**
 * The pods that ask for a certificate, and how each gets it. Reads only, page by page.
 * @module
 */
import type { V1Pod } from '@kubernetes/client-node';
import { Annotation, STATUS_INJECTED, VolumeName } from '../../contract.ts';
import type { KubernetesApi } from '../../kubernetes/client.ts';
import { isHidden } from '../../kubernetes/cluster-state.ts';
import { type Page, pages } from '../../kubernetes/pages.ts';
import { originOf } from '../../kubernetes/pod-origin.ts';
import { signerName } from '../../policy/cluster-names.ts';
import { type IssuedCertificate, type News, readNews, type Warning } from './news.ts';
import type { OtherInjectors } from './other-installations.ts';
import { type OtherPods, OwnPods } from './other-pods.ts';

/** What kubelet's last request says. */
export interface RequestState {
  /** `Pending`: nobody has answered it. */
  readonly state: 'Issued' | 'Denied' | 'Failed' | 'Pending';
  readonly message?: string;
  /** RFC 3339, of a certificate that was issued. */
  readonly notBefore?: string;
  readonly notAfter?: string;
  readonly renewsAt?: string;
}

/** A pod with the annotation. */
export interface PodStatus {
  readonly namespace: string;
  readonly name: string;
  /** Of the annotations, as its author wrote them. */
  readonly certificateName: string;
  readonly sans?: string;
  /** Absent: it is not injected. */
  readonly delivery?: 'native' | 'sidecar';
  readonly injected: boolean;
  /** When it was created, and, if so, injected: RFC 3339. */
  readonly since?: string;
  /** Of native delivery, while the API server keeps the request. */
  readonly request?: RequestState;
  /** Of an agent, as far as Events tell: see `news.ts`. */
  readonly certificate?: IssuedCertificate;
  readonly warning?: Warning;
}

/** As many as there is room for. */
export interface PodStatuses {
  readonly pods: readonly PodStatus[];
  /** There are more than {@link MAX_PODS}. */
  readonly more: boolean;
  /** Pods of other installations, which are not among them. */
  readonly others: readonly OtherPods[];
}

/** A PodCertificateRequest as far as it is looked at. */
interface Request {
  readonly metadata?: { readonly namespace?: string; readonly creationTimestamp?: string };
  readonly spec?: { readonly podUID?: string };
  readonly status?: {
    readonly conditions?: readonly { readonly type: string; readonly message?: string }[];
    readonly notBefore?: string;
    readonly notAfter?: string;
    readonly beginRefreshAt?: string;
  };
}

type Api = Pick<KubernetesApi, 'request'>;

/** Pods that are told of, and requests that are remembered. */
export const MAX_PODS = 10_000;
const ENDS = ['Issued', 'Denied', 'Failed'] as const;

/**
 * Reads an installation's pods of a namespace, or of all of them.
 * @param autocert namespace of the installation
 * @param readOthers who else injects pods: asked once, as soon as one does not tell by itself
 * @throws AutocertError what the API server answers
 */
export async function readPods(
  api: Api,
  namespace: string | undefined,
  autocert: string,
  readOthers: () => Promise<OtherInjectors>,
): Promise<PodStatuses> {
  const scope = namespace === undefined ? '' : `/namespaces/${namespace}`;
  const [requests, news] = await Promise.all([
    readRequests(api, `/apis/certificates.k8s.io/v1${scope}/podcertificaterequests`, signerName(autocert)),
    readNews(api, namespace, MAX_PODS),
  ]);
  const own = new OwnPods(autocert);
  const pods: PodStatus[] = [];
  let others: OtherInjectors | undefined;
  for await (const pod of annotatedPods(api, namespace)) {
    let origin = originOf(pod);
    if (!origin) {
      others ??= await readOthers();
      origin = others.of(pod.metadata?.namespace ?? '');
    }
    if (!own.has(origin)) continue;
    if (pods.length === MAX_PODS) return { pods, more: true, others: own.others };
    pods.push(statusOf(pod, requests, news));
  }
  return { pods, more: false, others: own.others };
}

/**
 * The pods of a namespace, or of all of them, that ask for a certificate.
 * @throws AutocertError what the API server answers
 */
export async function* annotatedPods(api: Api, namespace: string | undefined): AsyncGenerator<V1Pod> {
  const scope = namespace === undefined ? '' : `/namespaces/${namespace}`;
  for await (const { items } of pages<V1Pod>(api, `/api/v1${scope}/pods`, { query: {} })) {
    for (const pod of items ?? []) if (pod.metadata?.annotations?.[Annotation.name]) yield pod;
  }
}

function statusOf({ metadata = {}, spec }: V1Pod, requests: ReadonlyMap<string, Request>, news: News): PodStatus {
  const { annotations = {}, namespace = '', name = '', uid = '', creationTimestamp } = metadata;
  const injected = annotations[Annotation.status] === STATUS_INJECTED;
  const volume = spec?.volumes?.find((one) => one.name === VolumeName.certificates);
  const delivery = volume?.projected ? 'native' : 'sidecar';
  const request = requests.get(uid);
  const sans = annotations[Annotation.sans];
  return {
    namespace,
    name,
    certificateName: annotations[Annotation.name] ?? '',
    ...(sans && { sans }),
    injected,
    ...(injected && { delivery }),
    // Times of the API are strings, whatever the type says.
    ...(creationTimestamp && { since: String(creationTimestamp) }),
    ...(request && { request: stateOf(request) }),
    ...news.get(uid),
  };
}

/** The newest of each pod. A cluster without the API, or a user who may not read it, has none. */
async function readRequests(api: Api, path: string, signer: string): Promise<ReadonlyMap<string, Request>> {
  const query = { fieldSelector: `spec.signerName=${signer}` };
  const newest = new Map<string, Request>();
  try {
    for await (const page of pages<Request>(api, path, { query })) keepNewest(page, newest);
  } catch (error) {
    if (!isHidden(error)) throw error;
  }
  return newest;
}

function keepNewest({ items }: Page<Request>, newest: Map<string, Request>): void {
  for (const request of items ?? []) {
    const uid = request.spec?.podUID ?? '';
    const known = newest.get(uid);
    const isNewer = (request.metadata?.creationTimestamp ?? '') >= (known?.metadata?.creationTimestamp ?? '');
    if (known ? isNewer : newest.size < MAX_PODS) newest.set(uid, request);
  }
}

function stateOf({ status = {} }: Request): RequestState {
  const { conditions = [], notBefore, notAfter, beginRefreshAt } = status;
  const end = conditions.find(({ type }) => ENDS.some((known) => known === type));
  return {
    state: (end?.type as (typeof ENDS)[number] | undefined) ?? 'Pending',
    ...(end?.message && end.type !== 'Issued' && { message: end.message }),
    ...(notBefore && { notBefore }),
    ...(notAfter && { notAfter }),
    ...(beginRefreshAt && { renewsAt: beginRefreshAt }),
  };
}

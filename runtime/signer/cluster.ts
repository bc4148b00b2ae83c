/**
 * What the signer asks of the API server. These calls, and no others, are what its RBAC allows.
 * @module
 */
import { SIGNER_NAME, TRUST_BUNDLE_NAME } from '../contract.ts';
import { ifFound } from '../kubernetes/cluster-state.ts';
import type { KubernetesApi, WatchEventType } from '../kubernetes/client.ts';
import type { Lease } from '../kubernetes/leader-election.ts';
import type { LivePod } from './judge-request.ts';
import type { PodCertificateRequest, RequestStatus } from './pod-certificate-request.ts';
import type { ClusterTrustBundle } from './trust-bundle.ts';

const CERTIFICATES = '/apis/certificates.k8s.io/v1';
const FIELD_MANAGER = 'autocert-signer';
const OURS = { fieldSelector: `spec.signerName=${SIGNER_NAME}` } as const;
const PAGE_SIZE = 500;
/** The server ends each watch after so long, so that one whose connection died unnoticed is replaced. */
const WATCH_SECONDS = 240;
/** A call of the election must not take longer: a leader that cannot renew has to know in time. */
const LEASE_TIMEOUT_MS = 1500;

interface RequestList {
  readonly items: readonly PodCertificateRequest[];
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string };
}

/** Every request of our signer, whatever its state. */
export async function listRequests(
  api: KubernetesApi,
): Promise<{ items: readonly PodCertificateRequest[]; resourceVersion: string }> {
  const items: PodCertificateRequest[] = [];
  let token: string | undefined;
  for (;;) {
    const query = { ...OURS, limit: String(PAGE_SIZE), ...(token && { continue: token }) };
    const page = await api.request<RequestList>('GET', `${CERTIFICATES}/podcertificaterequests`, { query });
    items.push(...page.items);
    token = page.metadata.continue;
    if (!token) return { items, resourceVersion: page.metadata.resourceVersion };
  }
}

/** Watches requests of our signer from `resourceVersion` on. */
export function watchRequests(
  api: KubernetesApi,
  resourceVersion: string,
  onEvent: (type: WatchEventType, object: PodCertificateRequest) => void,
  signal: AbortSignal,
): Promise<void> {
  const timeoutSeconds = String(WATCH_SECONDS);
  const query = { ...OURS, resourceVersion, allowWatchBookmarks: 'true', timeoutSeconds };
  return api.watch(`${CERTIFICATES}/podcertificaterequests`, query, onEvent, signal);
}

/** The pod as it is now: no `resourceVersion` is given, so the API server answers from its store, not from a cache. */
export function readPod(api: KubernetesApi, namespace: string, name: string): Promise<LivePod | undefined> {
  return ifFound(api.get<LivePod>(`/api/v1/namespaces/${segment(namespace)}/pods/${segment(name)}`));
}

/**
 * Writes the answer at the version that was read. `stale`: the request is gone. A conflict is an error: the watch
 * brings the newer version, and the next attempt has it.
 */
export async function writeStatus(
  api: KubernetesApi,
  request: PodCertificateRequest,
  status: RequestStatus,
): Promise<'written' | 'stale'> {
  const { namespace, name } = request.metadata;
  const path = `${CERTIFICATES}/namespaces/${segment(namespace)}/podcertificaterequests/${segment(name)}/status`;
  // Items of a list come without apiVersion and kind.
  const body = { ...request, apiVersion: 'certificates.k8s.io/v1', kind: 'PodCertificateRequest', status };
  return (await ifFound(api.update(path, body))) === undefined ? 'stale' : 'written';
}

/** Creates or mends the trust bundle. */
export async function applyTrustBundle(api: KubernetesApi, bundle: ClusterTrustBundle): Promise<void> {
  await api.apply(`${CERTIFICATES}/clustertrustbundles/${segment(TRUST_BUNDLE_NAME)}`, bundle, FIELD_MANAGER);
}

/** The Lease of the election. */
export function leaseCalls(api: KubernetesApi, lease: { readonly namespace: string; readonly name: string }) {
  const collection = `/apis/coordination.k8s.io/v1/namespaces/${segment(lease.namespace)}/leases`;
  const call = (method: string, path: string, body?: Lease) =>
    api.request<Lease>(method, path, { signal: AbortSignal.timeout(LEASE_TIMEOUT_MS), ...(body && { body }) });
  const one = `${collection}/${segment(lease.name)}`;
  return {
    read: () => ifFound(call('GET', one)),
    create: async (body: Lease) => void (await call('POST', collection, body)),
    update: async (body: Lease) => void (await call('PUT', one, body)),
  };
}

/** Names come from objects that any kubelet may write: never let one become another path. */
function segment(name: string): string {
  return encodeURIComponent(name);
}

/**
 * What the signer asks of the API server, besides pods, namespaces and events. These calls, and no others, are what its
 * RBAC allows.
 * @module
 */
import type { V1MutatingWebhookConfiguration } from '@kubernetes/client-node';
import { DOMAIN } from '../contract.ts';
import type { KubernetesApi, WatchEventType } from '../kubernetes/client.ts';
import { ifFound } from '../kubernetes/cluster-state.ts';
import type { ElectionPorts, Lease } from '../kubernetes/leader-election.ts';
import { pages } from '../kubernetes/pages.ts';
import type { PodCertificateRequest, RequestStatus } from './pod-certificate-request.ts';
import type { ClusterTrustBundle } from './trust-bundle.ts';

const CERTIFICATES = '/apis/certificates.k8s.io/v1';
const FIELD_MANAGER = 'autocert-signer';
/** Requests of a signer. */
const requestsOf = (signer: string) => ({ fieldSelector: `spec.signerName=${signer}` });
/** The server ends each watch after so long, so that one whose connection died unnoticed is replaced. */
const WATCH_SECONDS = 240;

/** Gives every request of the signer, whatever its state, page by page; resolves with the version to watch from. */
export async function listRequests(
  api: KubernetesApi,
  signer: string,
  onPage: (items: readonly PodCertificateRequest[]) => void,
): Promise<string> {
  let version = '';
  const path = `${CERTIFICATES}/podcertificaterequests`;
  for await (const { items, metadata } of pages<PodCertificateRequest>(api, path, { query: requestsOf(signer) })) {
    onPage(items ?? []);
    version = metadata?.resourceVersion ?? '';
  }
  return version;
}

/** Watches requests of the signer from `resourceVersion` on. */
export function watchRequests(
  api: KubernetesApi,
  signer: string,
  resourceVersion: string,
  onEvent: (type: WatchEventType, object: PodCertificateRequest) => void,
  signal: AbortSignal,
): Promise<void> {
  const timeoutSeconds = String(WATCH_SECONDS);
  const query = { ...requestsOf(signer), resourceVersion, allowWatchBookmarks: 'true', timeoutSeconds };
  return api.watch(`${CERTIFICATES}/podcertificaterequests`, query, onEvent, signal);
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
  await api.apply(`${CERTIFICATES}/clustertrustbundles/${segment(bundle.metadata?.name ?? '')}`, bundle, FIELD_MANAGER);
}

/** The configuration by which the API server asks the webhook; `undefined`: there is none. */
export function readWebhookConfiguration(
  api: KubernetesApi,
  name: string,
): Promise<V1MutatingWebhookConfiguration | undefined> {
  return ifFound(api.get<V1MutatingWebhookConfiguration>(webhookConfigurationPath(name)));
}

/**
 * Writes `caBundle` (base64) and nothing else: whoever applies the manifests owns the other fields, so that the two never
 * undo each other's work.
 */
export async function applyCaBundle(api: KubernetesApi, name: string, caBundle: string): Promise<void> {
  const body = {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'MutatingWebhookConfiguration',
    metadata: { name },
    webhooks: [{ name: DOMAIN, clientConfig: { caBundle } }],
  };
  await api.apply(webhookConfigurationPath(name), body, FIELD_MANAGER);
}

function webhookConfigurationPath(name: string): string {
  return `/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/${segment(name)}`;
}

/** The Lease of the election. */
export function leaseCalls(
  api: KubernetesApi,
  lease: { readonly namespace: string; readonly name: string },
): Pick<ElectionPorts, 'read' | 'create' | 'update'> {
  const collection = `/apis/coordination.k8s.io/v1/namespaces/${segment(lease.namespace)}/leases`;
  const one = `${collection}/${segment(lease.name)}`;
  return {
    read: (signal) => ifFound(api.request<Lease>('GET', one, { signal })),
    create: (body, signal) => api.request<Lease>('POST', collection, { body, signal }),
    update: (body, signal) => api.request<Lease>('PUT', one, { body, signal }),
  };
}

/** Names come from objects that any kubelet may write: never let one become another path. */
function segment(name: string): string {
  return encodeURIComponent(name);
}

/**
 * Questions to the API server that several parts ask in the same way.
 * @module
 */
import type { V1APIResourceList, V1Namespace, V1Pod } from '@kubernetes/client-node';
import type { NamespaceLabel } from '../contract.ts';
import { AutocertError } from '../lib/errors.ts';
import { isLabelled } from '../policy/namespace-label.ts';
import type { KubernetesApi } from './client.ts';

type Api = Pick<KubernetesApi, 'get'>;

/** How long a namespace's labels are believed, and how many namespaces are remembered. */
const NAMESPACE_CACHE_MS = 10_000;
const MAX_NAMESPACES = 5_000;

const FOR_NATIVE_DELIVERY = ['podcertificaterequests', 'clustertrustbundles'];

/** The object, or `undefined` where the API server says that there is none. */
export async function ifFound<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof AutocertError && error.status === 404) return undefined;
    throw error;
  }
}

/** Whether an answer means that there is nothing to be seen: it is not there, or the caller may not read it. */
export function isHidden(error: unknown): boolean {
  return error instanceof AutocertError && [403, 404].includes(error.status ?? 0);
}

/** The resources of a version of a group, such as `apps/v1`, by their plural names; none where it is not served. */
export async function servedBy(api: Api, groupVersion: string): Promise<ReadonlySet<string>> {
  const list = await ifFound(api.get<V1APIResourceList>(`/apis/${groupVersion}`));
  return new Set(list?.resources?.map(({ name }) => name));
}

/** Whether the API server has what native delivery needs: pod certificates and trust bundles, generally available. */
export async function hasPodCertificates(api: Api): Promise<boolean> {
  const names = await servedBy(api, 'certificates.k8s.io/v1');
  return FOR_NATIVE_DELIVERY.every((name) => names.has(name));
}

/**
 * The pod as it is now; `undefined`: there is none. No `resourceVersion` is given, so the API server answers from its
 * store, not from a cache. Times in it are strings.
 */
export function readPod(api: Api, namespace: string, name: string): Promise<V1Pod | undefined> {
  // Names come from requests: never let one become another path.
  return ifFound(
    api.get<V1Pod>(`/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(name)}`),
  );
}

/**
 * Answers whether a namespace carries the label, from a short memory: pods that start together ask for it once.
 * @param label asked each time, since the configuration is followed
 * @param now monotonic milliseconds
 */
export function namespaceLabels(
  api: Api,
  label: () => NamespaceLabel,
  now: () => number,
): (namespace: string) => Promise<boolean> {
  type Labels = Readonly<Record<string, string>> | undefined;
  const known = new Map<string, { readonly until: number; readonly labels: Promise<Labels> }>();
  const labelsOf = (namespace: string) => {
    const memory = known.get(namespace);
    if (memory && now() < memory.until) return memory.labels;
    if (known.size >= MAX_NAMESPACES) known.clear();
    const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}`;
    const labels = ifFound(api.get<V1Namespace>(path)).then((found) => found?.metadata?.labels);
    known.set(namespace, { until: now() + NAMESPACE_CACHE_MS, labels });
    labels.catch(() => known.delete(namespace));
    return labels;
  };
  return async (namespace) => isLabelled(await labelsOf(namespace), label());
}

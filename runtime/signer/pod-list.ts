/**
 * The lists that the census of pods is made from: metadata only, page by page.
 * @module
 */
import type { NamespaceLabel } from '../contract.ts';
import type { KubernetesApi } from '../kubernetes/client.ts';
import { METADATA_ONLY, pages } from '../kubernetes/pages.ts';
import { labelText } from '../policy/namespace-label.ts';
import type { ListedPod } from './pod-census.ts';

/** Pods that have ended need no certificate. */
const NOT_ENDED = 'status.phase!=Succeeded,status.phase!=Failed';

/** Names of the namespaces with the label. */
export async function enabledNamespaces(
  api: Pick<KubernetesApi, 'request'>,
  label: NamespaceLabel,
): Promise<readonly string[]> {
  const names: string[] = [];
  const options = { query: { labelSelector: labelText(label) }, accept: METADATA_ONLY };
  for await (const { items } of pages<{ readonly metadata: { readonly name: string } }>(
    api,
    '/api/v1/namespaces',
    options,
  )) {
    names.push(...(items ?? []).map(({ metadata }) => metadata.name));
  }
  return names;
}

/** Gives the pods of a namespace that have not ended. */
export async function podsOf(
  api: Pick<KubernetesApi, 'request'>,
  namespace: string,
  onPage: (pods: readonly ListedPod[]) => void,
): Promise<void> {
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods`;
  const options = { query: { fieldSelector: NOT_ENDED }, accept: METADATA_ONLY };
  for await (const { items } of pages<ListedPod>(api, path, options)) onPage(items ?? []);
}

/**
 * Which kinds of objects an API server has, and at which paths.
 * @module
 */
import type { V1APIResourceList } from '@kubernetes/client-node';
import type { KubernetesApi } from './client.ts';
import { ifFound } from './cluster-state.ts';

/** What a path of the API is made of. */
export interface ApiResource {
  /** Empty: the core group. */
  readonly group: string;
  /** Such as `apps/v1`. */
  readonly groupVersion: string;
  readonly plural: string;
  readonly namespaced: boolean;
}

/** A kind of an API version, to the resource; `undefined`: the API server has none. */
export type FindResource = (apiVersion: string, kind: string) => Promise<ApiResource | undefined>;

/** Looks kinds up in the discovery documents, of which each is read once. */
export function resourceFinder(api: Pick<KubernetesApi, 'get'>): FindResource {
  const documents = new Map<string, Promise<V1APIResourceList | undefined>>();
  const read = (groupVersion: string) => {
    const root = groupVersion.includes('/') ? 'apis' : 'api';
    // It comes from a manifest: it must not become another path.
    const path = groupVersion.split('/').map(encodeURIComponent).join('/');
    const document = documents.get(groupVersion) ?? ifFound(api.get<V1APIResourceList>(`/${root}/${path}`));
    documents.set(groupVersion, document);
    return document;
  };
  return async (groupVersion, kind) => {
    const list = await read(groupVersion);
    // A subresource, such as `deployments/scale`, may be of the same kind.
    const found = list?.resources?.find((each) => each.kind === kind && !each.name.includes('/'));
    if (!found) return undefined;
    const group = groupVersion.includes('/') ? groupVersion.slice(0, groupVersion.indexOf('/')) : '';
    return { group, groupVersion, plural: found.name, namespaced: found.namespaced };
  };
}

/** The path of a collection. `namespace` is of use for what is in one. */
export function collectionPath({ groupVersion, plural, namespaced }: ApiResource, namespace: string): string {
  const root = groupVersion.includes('/') ? 'apis' : 'api';
  const scope = namespaced ? `/namespaces/${encodeURIComponent(namespace)}` : '';
  return `/${root}/${groupVersion}${scope}/${plural}`;
}

/** The path of an object. */
export function objectPath(resource: ApiResource, namespace: string, name: string): string {
  return `${collectionPath(resource, namespace)}/${encodeURIComponent(name)}`;
}

/**
 * Lists of the Kubernetes API, page by page, so that neither the API server nor the reader ever has all of one in hand.
 * @module
 */
import { AutocertError } from '../lib/errors.ts';
import type { KubernetesApi } from './client.ts';

/** One page of a list. */
export interface Page<T> {
  /** `null`: the list is empty, as the API server (1.37) writes it for metadata alone. */
  readonly items?: readonly T[] | null;
  readonly metadata?: { readonly continue?: string; readonly resourceVersion?: string };
}

/** Options of {@link pages}. */
export interface PageOptions {
  /** Selectors. */
  readonly query: Readonly<Record<string, string>>;
  /** Objects a page. @default 500 */
  readonly size?: number;
  /** What the answer may be. @default 'application/json' */
  readonly accept?: string;
}

/** The API server leaves out `spec` and `status`; one that cannot answers with whole objects. */
export const METADATA_ONLY = 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json';

const PAGE_SIZE = 500;
/** Half a million objects at the least, more than a cluster has. */
const MAX_PAGES = 2_000;

/**
 * Reads a list to its end.
 * @throws AutocertError `UNAVAILABLE` when there is no end to it
 */
export async function* pages<T>(
  api: Pick<KubernetesApi, 'request'>,
  path: string,
  { query, size = PAGE_SIZE, accept }: PageOptions,
): AsyncGenerator<Page<T>> {
  let token: string | undefined;
  for (let count = 0; count < MAX_PAGES; count += 1) {
    const page: Page<T> = await api.request<Page<T>>('GET', path, {
      query: { ...query, limit: String(size), ...(token && { continue: token }) },
      ...(accept !== undefined && { accept }),
    });
    yield page;
    token = page.metadata?.continue;
    if (!token) return;
  }
  throw new AutocertError(
    'UNAVAILABLE',
    `GET ${path}: there are more than ${size * MAX_PAGES}: not all were looked at`,
  );
}

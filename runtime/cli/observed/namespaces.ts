/**
 * Namespaces, as far as their labels turn Autocert on.
 * @module
 */
import type { V1Namespace } from '@kubernetes/client-node';
import type { Look } from './look.ts';

/** Most that are looked at. */
const MAX_NAMESPACES = 5_000;

/** Labels of a namespace. */
export type Labels = Readonly<Record<string, string>>;

/** The labels of all namespaces, or of one. `undefined`: nobody could look. */
export async function readNamespaces(look: Look, one?: string): Promise<ReadonlyMap<string, Labels> | undefined> {
  const entry = ({ metadata }: V1Namespace) => [metadata?.name ?? '', metadata?.labels ?? {}] as const;
  if (one === undefined) {
    const all = await look.list('/api/v1/namespaces', 'namespaces', MAX_NAMESPACES, entry);
    return all && new Map(all);
  }
  const found = await look.get<V1Namespace>(`/api/v1/namespaces/${one}`, 'namespaces');
  return found ? new Map([entry(found)]) : undefined;
}

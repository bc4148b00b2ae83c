/**
 * What every object that we synthesize has in common.
 *
 * Objects are made with the plain API classes (`k8s.Kube…`) of cdk8s-plus, not with its convenience classes: those give
 * every container 1 CPU and 512 Mi, pull images always, set no seccomp profile, choose label selectors of their own and
 * derive names from construct paths, while the names, labels and limits of Autocert are promises to its users.
 * @module
 */
import { createHash } from 'node:crypto';
import { Lazy } from 'cdk8s';
import type { k8s } from 'cdk8s-plus-27';
import { PART_OF } from '../runtime/contract.ts';

/**
 * No namespace. cdk8s gives an object without one the namespace of its Chart, even if the object is cluster-scoped; this
 * is something until the manifest is written, and nothing then.
 */
const NO_NAMESPACE = Lazy.any({ produce: () => undefined }) as unknown as string;

/** Metadata of an object: a name that is ours to choose, and a namespace unless the object is cluster-scoped. */
export function metadata(
  name: string,
  namespace: string = NO_NAMESPACE,
  labels: Readonly<Record<string, string>> = {},
) {
  return { name, namespace, labels: { [PART_OF.key]: PART_OF.value, ...labels } } satisfies k8s.ObjectMeta;
}

/** The properties of `values` that are set: what `exactOptionalPropertyTypes` wants where a prop is handed on. */
export function defined<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const entries = Object.entries(values).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]?: Exclude<T[K], undefined> };
}

/** A short digest of anything serializable, for names and annotations that have to change with their content. */
export function digest(content: unknown): string {
  return createHash('sha256').update(JSON.stringify(content)).digest('hex').slice(0, 10);
}

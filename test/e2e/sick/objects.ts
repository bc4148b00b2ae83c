/**
 * Objects of a cluster taken away, or copied to another namespace.
 * @module
 */
import type { Kubectl, KubernetesObject } from '../../../scripts/cluster/kubectl.ts';

/** An object as it can be created. */
export interface Copy {
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly [field: string]: unknown;
}

/** A copy. @param which as kubectl has it: `secret/name`, with `-n` where there is a namespace */
export async function copyOf(kubectl: Kubectl, which: readonly string[]): Promise<Copy> {
  const {
    metadata,
    status: _,
    ...rest
  } = await kubectl.json<KubernetesObject & { status?: object }>(['get', ...which]);
  const { name, namespace, labels, annotations } = metadata;
  return { ...rest, metadata: { name, labels, annotations, ...(namespace !== undefined && { namespace }) } } as Copy;
}

/** Deletes an object; what it gives makes it again. */
export async function withoutObject(kubectl: Kubectl, which: readonly string[]): Promise<() => Promise<unknown>> {
  const copy = await copyOf(kubectl, which);
  await kubectl.run(['delete', ...which]);
  return () => kubectl.run(['create', '-f', '-'], { input: JSON.stringify(copy) });
}

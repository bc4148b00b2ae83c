/**
 * The operations of JSON Patch (RFC 6902) that every kind of injection is made of. They only ever add, at the end of a
 * list or before its first item, so nothing of the author's is replaced or reordered.
 * @module
 */
import { Annotation, CERTIFICATE_DIR, STATUS_INJECTED, VolumeName } from '../contract.ts';
import type { Container, Pod } from './pod.ts';

/** One operation. Operations apply in order; each sees what those before it have done. */
export interface JsonPatchOperation {
  readonly op: 'add';
  readonly path: string;
  readonly value: unknown;
}

/** Operations, in order. */
export type JsonPatch = readonly JsonPatchOperation[];

const MOUNT = { name: VolumeName.certificates, mountPath: CERTIFICATE_DIR, readOnly: true } as const;

/** RFC 6901: `~` and `/` inside a reference token. */
const STATUS_PATH = `/metadata/annotations/${Annotation.status.replaceAll('~', '~0').replaceAll('/', '~1')}`;

/** Adds to a list, which has to be made first if there is none or it is `null`. */
export function addTo(
  path: string,
  list: readonly unknown[] | null | undefined,
  value: unknown,
  where: 'first' | 'last' = 'last',
): JsonPatchOperation {
  if (!list?.length) return { op: 'add', path, value: [value] };
  return { op: 'add', path: `${path}/${where === 'first' ? 0 : '-'}`, value };
}

/** Mounts the files, read-only, in every container that the author wrote. */
export function mountFiles({ spec }: Pod): JsonPatch {
  const mount = (list: 'initContainers' | 'containers', containers: readonly Container[]) =>
    containers.map(({ volumeMounts }, index) => addTo(`/spec/${list}/${index}/volumeMounts`, volumeMounts, MOUNT));
  return [...mount('initContainers', spec.initContainers ?? []), ...mount('containers', spec.containers)];
}

/** Writes the status annotation. A pod that asks for a certificate has annotations already. */
export const markInjected: JsonPatchOperation = { op: 'add', path: STATUS_PATH, value: STATUS_INJECTED };

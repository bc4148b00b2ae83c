/**
 * The part of a Pod that admission looks at, and the check that a value from outside has that shape.
 * @module
 */

import { isRecord } from '../lib/validator.ts';

/** A container as far as injection looks at it. */
export interface Container {
  readonly name: string;
  readonly volumeMounts?: readonly VolumeMount[] | null;
  readonly securityContext?: { readonly runAsUser?: number | null } | null;
}

/** A mount of a volume. */
export interface VolumeMount {
  readonly name: string;
  readonly mountPath: string;
}

/** Settings for all containers of a pod. */
export interface PodSecurityContext {
  readonly runAsUser?: number | null;
  readonly runAsGroup?: number | null;
  readonly fsGroup?: number | null;
}

/** What the pod is to be. */
export interface PodSpec {
  readonly containers: readonly Container[];
  readonly initContainers?: readonly Container[] | null;
  readonly volumes?: readonly { readonly name: string }[] | null;
  readonly imagePullSecrets?: readonly { readonly name?: string }[] | null;
  readonly securityContext?: PodSecurityContext | null;
  readonly hostNetwork?: boolean | null;
  readonly dnsPolicy?: string | null;
  readonly serviceAccountName?: string | null;
}

/** A Pod. */
export interface Pod {
  readonly metadata: {
    readonly name?: string;
    readonly generateName?: string;
    readonly uid?: string;
    readonly annotations?: Readonly<Record<string, string>> | null;
    readonly deletionTimestamp?: string | null;
  };
  readonly spec: PodSpec;
}

/** Every container that the pod's author wrote, init containers first: the order in which they start. */
export function containersOf(spec: PodSpec): readonly Container[] {
  return [...(spec.initContainers ?? []), ...spec.containers];
}

/** Each gets a mount, so that the patch grows with them. A node has room for some hundred. */
const MAX_CONTAINERS = 500;

/** What is wrong with a value that should be a Pod; `undefined`: it is one, as far as this program looks at it. */
export function podProblem(value: unknown): string | undefined {
  if (!isRecord(value)) return 'object must be a Pod, and is no object';
  if (!isRecord(value.metadata)) return 'object.metadata must be an object';
  const { annotations } = value.metadata;
  if (!isAbsent(annotations) && !(isRecord(annotations) && Object.values(annotations).every(isText))) {
    return 'object.metadata.annotations must be a map of texts';
  }
  const { spec } = value;
  if (!isRecord(spec)) return 'object.spec must be an object';
  for (const list of ['containers', 'initContainers'] as const) {
    if (list === 'initContainers' && isAbsent(spec[list])) continue;
    if (!isListOf(spec[list], isContainer)) return `object.spec.${list} must be a list of containers`;
    if (Array.isArray(spec[list]) && spec[list].length > MAX_CONTAINERS) {
      return `object.spec.${list} has ${spec[list].length} containers, at most ${MAX_CONTAINERS} are injected`;
    }
  }
  if (!isAbsent(spec.volumes) && !isListOf(spec.volumes, (volume) => isText(volume.name))) {
    return 'object.spec.volumes must be a list of volumes';
  }
  // A reference may lack its name, by the API's own rules.
  if (!isAbsent(spec.imagePullSecrets) && !isListOf(spec.imagePullSecrets, () => true)) {
    return 'object.spec.imagePullSecrets must be a list of objects';
  }
  return isAbsent(spec.securityContext) || isRecord(spec.securityContext)
    ? undefined
    : 'object.spec.securityContext must be an object';
}

function isContainer(value: Readonly<Record<string, unknown>>): boolean {
  const { volumeMounts: mounts, securityContext } = value;
  return (
    isText(value.name) &&
    (isAbsent(securityContext) || isRecord(securityContext)) &&
    (isAbsent(mounts) || isListOf(mounts, (mount) => isText(mount.name) && isText(mount.mountPath)))
  );
}

function isListOf(value: unknown, accepts: (item: Readonly<Record<string, unknown>>) => boolean): boolean {
  return Array.isArray(value) && value.every((item: unknown) => isRecord(item) && accepts(item));
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isAbsent(value: unknown): value is null | undefined {
  return value === undefined || value === null;
}

/**
 * What of a pod is Autocert's, and the pod without it. Pure.
 * @module
 */
import { Annotation, ContainerName, VolumeName } from '../../contract.ts';
import { isRecord } from '../../lib/validator.ts';
import type { CreatedPod } from '../workloads.ts';

const OURS: ReadonlySet<unknown> = new Set([...Object.values(ContainerName), ...Object.values(VolumeName)]);

/** Whether a container, volume or mount has a name of Autocert's. */
export const isOurs = (item: unknown) => isRecord(item) && OURS.has(item.name);

/** Annotations of a pod that nobody has validated. */
export function annotationsOf({ metadata }: CreatedPod): Readonly<Record<string, unknown>> {
  return isRecord(metadata.annotations) ? metadata.annotations : {};
}

/** A pod as its author wrote it, as far as that can be told. */
export function withoutInjection(pod: CreatedPod): CreatedPod {
  if (!isRecord(pod.spec)) return pod;
  const { [Annotation.status]: _, ...annotations } = annotationsOf(pod);
  const others = (list: unknown) => (Array.isArray(list) ? list.filter((item) => !isOurs(item)) : list);
  const containers = (list: unknown) => {
    const own = others(list);
    if (!Array.isArray(own)) return own;
    return own.map((item: unknown) => (isRecord(item) ? { ...item, volumeMounts: others(item.volumeMounts) } : item));
  };
  const { spec } = pod;
  return {
    metadata: { ...pod.metadata, annotations },
    spec: {
      ...spec,
      containers: containers(spec.containers),
      initContainers: containers(spec.initContainers),
      volumes: others(spec.volumes),
    },
  };
}

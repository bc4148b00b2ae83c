/**
 * Reads the pod out of a manifest, as its controller would create it and the API server would accept it.
 * @module
 */
import { randomUUID } from 'node:crypto';
import type { V1ObjectMeta, V1Pod, V1PodSpec } from '@kubernetes/client-node';
import { AutocertError } from '../../lib/errors.ts';
import { readTextFile } from '../../lib/text-file.ts';
import { isRecord } from '../../lib/validator.ts';
import { type Manifest, objectsIn } from '../manifests.ts';
import { nameOf, podOf, WORKLOAD_KINDS, type WorkloadKind, workloadKindOf } from '../workloads.ts';

/** A pod that the API server has accepted. */
export interface Pod extends V1Pod {
  readonly metadata: V1ObjectMeta & { readonly name: string; readonly namespace: string; readonly uid: string };
  readonly spec: V1PodSpec;
}

function acceptedPod(manifest: Manifest, kind: WorkloadKind): Pod | undefined {
  const pod = podOf(manifest, kind);
  if (!isRecord(pod?.spec)) return undefined;
  const { generateName: _, ...metadata } = pod.metadata;
  const suffix = kind.kind === 'Pod' ? '' : `-${randomUUID().slice(0, 5)}`;
  const { namespace } = isRecord(manifest.metadata) ? manifest.metadata : {};
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...metadata,
      name: `${nameOf(manifest)}${suffix}`,
      namespace: typeof namespace === 'string' ? namespace : 'default',
      uid: randomUUID(),
    },
    spec: pod.spec as unknown as V1PodSpec,
  };
}

/**
 * The first pod of a YAML file.
 * @throws AutocertError `INVALID_INPUT` if the file cannot be read or holds none
 */
export function readPod(file: string): Pod {
  for (const manifest of objectsIn(readTextFile(file, 'INVALID_INPUT'), JSON.stringify(file))) {
    const kind = workloadKindOf(manifest);
    const pod = kind && acceptedPod(manifest, kind);
    if (pod) return pod;
  }
  throw new AutocertError(
    'INVALID_INPUT',
    `${JSON.stringify(file)} holds no pod: want a manifest of a ${WORKLOAD_KINDS.map(({ kind }) => kind).join(', ')}`,
  );
}

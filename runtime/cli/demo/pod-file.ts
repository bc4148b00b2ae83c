/**
 * Reads the pod out of a manifest: of a Pod itself, or of the template of a Deployment, StatefulSet, DaemonSet, Job or
 * CronJob, as their controllers would create it.
 * @module
 */
import { randomUUID } from 'node:crypto';
import type { V1ObjectMeta, V1Pod, V1PodSpec } from '@kubernetes/client-node';
import { parseAllDocuments } from 'yaml';
import { AutocertError, messageOf } from '../../lib/errors.ts';
import { readTextFile } from '../../lib/text-file.ts';
import { isRecord } from '../../lib/validator.ts';

/** A pod that the API server has accepted. */
export interface Pod extends V1Pod {
  readonly metadata: V1ObjectMeta & { readonly name: string; readonly namespace: string; readonly uid: string };
  readonly spec: V1PodSpec;
}

/** What is looked at of a manifest: nothing of it has been validated. */
interface Manifest {
  readonly kind?: string;
  readonly metadata?: V1ObjectMeta;
  readonly spec?: Readonly<Record<string, unknown>>;
}

function templateOf(manifest: Manifest): Manifest | undefined {
  if (manifest.kind === 'Pod') return manifest;
  const owner = manifest.kind === 'CronJob' ? (manifest.spec?.jobTemplate as Manifest | undefined) : manifest;
  return owner?.spec?.template as Manifest | undefined;
}

function toPod({ kind, metadata }: Manifest, template: Manifest): Pod {
  const suffix = kind === 'Pod' ? '' : `-${randomUUID().slice(0, 5)}`;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...template.metadata,
      name: `${metadata?.name ?? 'pod'}${suffix}`,
      namespace: metadata?.namespace ?? 'default',
      uid: randomUUID(),
    },
    spec: { serviceAccountName: 'default', ...template.spec } as unknown as V1PodSpec,
  };
}

/**
 * The first pod of a YAML file.
 * @throws AutocertError `INVALID_INPUT` if the file cannot be read or holds none
 */
export function readPod(file: string): Pod {
  for (const document of documentsIn(file)) {
    const manifest = isRecord(document) ? (document as Manifest) : {};
    const template = templateOf(manifest);
    if (template?.spec) return toPod(manifest, template);
  }
  throw new AutocertError(
    'INVALID_INPUT',
    `${JSON.stringify(file)} holds no pod: want a manifest of a Pod, Deployment, StatefulSet, DaemonSet, Job or CronJob`,
  );
}

function documentsIn(file: string): unknown[] {
  const text = readTextFile(file, 'INVALID_INPUT');
  try {
    return parseAllDocuments(text).map((document) => {
      const [problem] = document.errors;
      if (problem) throw problem;
      return document.toJS() as unknown;
    });
  } catch (error) {
    throw new AutocertError('INVALID_INPUT', `${JSON.stringify(file)} is not YAML: ${messageOf(error)}`);
  }
}

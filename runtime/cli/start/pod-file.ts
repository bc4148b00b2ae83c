/**
 * Reads the pod out of a manifest: of a Pod itself, or of the template of a Deployment, StatefulSet, DaemonSet, Job or
 * CronJob, as their controllers would create it.
 * @module
 */
import { randomUUID } from 'node:crypto';
import { parseAllDocuments } from 'yaml';
import { AutocertError, messageOf } from '../../lib/errors.ts';
import { readTextFile } from '../../lib/text-file.ts';

/** As much of a Pod as this command looks at. */
export interface Pod {
  readonly apiVersion: 'v1';
  readonly kind: 'Pod';
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly uid: string;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly spec: Readonly<Record<string, unknown>> & { readonly serviceAccountName: string };
}

interface Manifest {
  readonly kind?: string;
  readonly metadata?: { readonly name?: string; readonly namespace?: string };
  readonly spec?: Record<string, unknown>;
}

function templateOf(manifest: Manifest): Manifest | undefined {
  if (manifest.kind === 'Pod') return manifest;
  const holder = manifest.kind === 'CronJob' ? (manifest.spec?.jobTemplate as Manifest | undefined) : manifest;
  return holder?.spec?.template as Manifest | undefined;
}

function toPod(manifest: Manifest, template: Manifest): Pod {
  const bare = manifest.kind === 'Pod';
  const suffix = bare ? '' : `-${randomUUID().slice(0, 5)}`;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...template.metadata,
      name: `${manifest.metadata?.name ?? 'pod'}${suffix}`,
      namespace: manifest.metadata?.namespace ?? 'default',
      uid: randomUUID(),
    },
    spec: { serviceAccountName: 'default', ...template.spec },
  };
}

/**
 * The first pod of a YAML file.
 * @throws AutocertError `INVALID_INPUT` if the file cannot be read or holds none
 */
export function readPod(file: string): Pod {
  const text = readTextFile(file, 'INVALID_INPUT');
  let manifests: (Manifest | null)[];
  try {
    manifests = parseAllDocuments(text).map((document) => {
      const [problem] = document.errors;
      if (problem) throw problem;
      return document.toJS() as Manifest | null;
    });
  } catch (error) {
    throw new AutocertError('INVALID_INPUT', `${JSON.stringify(file)} is not YAML: ${messageOf(error)}`);
  }
  for (const manifest of manifests) {
    const template = manifest && typeof manifest === 'object' ? templateOf(manifest) : undefined;
    if (manifest && template?.spec) return toPod(manifest, template);
  }
  throw new AutocertError(
    'INVALID_INPUT',
    `${JSON.stringify(file)} holds no pod: want a manifest of a Pod, Deployment, StatefulSet, DaemonSet, Job or CronJob`,
  );
}

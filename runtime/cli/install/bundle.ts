/**
 * The manifests of an installation: a folder as `npm run synth` writes it.
 * @module
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import packageJson from '../../../package.json' with { type: 'json' };
import { AutocertError, messageOf } from '../../lib/errors.ts';
import { readTextFile } from '../../lib/text-file.ts';
import { isRecord, shown } from '../../lib/validator.ts';
import { isDnsLabel } from '../../policy/names.ts';
import { MAX_OBJECTS, type Manifest, objectsIn } from '../manifests.ts';

/** One object to be applied. */
export interface InstallObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  /** Absent: the manifest has none. */
  readonly namespace?: string;
  readonly manifest: Manifest;
}

/** All of them. */
export interface Bundle {
  readonly folder: string;
  /** Files that were read. */
  readonly files: number;
  /** In the order in which they are applied. */
  readonly objects: readonly InstallObject[];
  /** Namespace of CA and webhook. */
  readonly namespace: string;
}

/** The image that the manifests name unless a prop says otherwise. */
export const DEFAULT_IMAGE = `autocert:${packageJson.version}`;

/** Most files of a folder. */
const MAX_FILES = 200;
/** Most characters of an object's name in the API. */
const MAX_NAME = 253;
/** Characters of an image's digest in the name of a Job. */
const DIGEST_LENGTH = 8;

/**
 * Kinds in the order in which they are applied; others come before the last two. What refuses comes before what it guards,
 * rights before who has them, and what sends pods to Autocert when Autocert is there.
 */
const FIRST = [
  'CustomResourceDefinition',
  'Namespace',
  'ValidatingAdmissionPolicy',
  'ValidatingAdmissionPolicyBinding',
  'NetworkPolicy',
  'ServiceAccount',
  'Role',
  'ClusterRole',
  'RoleBinding',
  'ClusterRoleBinding',
  'ConfigMap',
  'Secret',
  'PersistentVolumeClaim',
  'Service',
  'PodDisruptionBudget',
  'Job',
  'CronJob',
  'StatefulSet',
  'Deployment',
];
const LAST = ['MutatingAdmissionPolicy', 'MutatingAdmissionPolicyBinding', 'MutatingWebhookConfiguration'];

/**
 * Reads the manifests.
 * @param image replaces {@link DEFAULT_IMAGE} wherever the manifests name it
 * @throws AutocertError `INVALID_INPUT` when there are none, or one is no object of Kubernetes
 */
export function readBundle(folder: string, image?: string): Bundle {
  const files = filesIn(folder);
  const found = files.flatMap((file) => {
    const path = join(folder, file);
    const manifests = objectsIn(readTextFile(path, 'INVALID_INPUT', MAX_FILE_BYTES), shown(path));
    return manifests.map((manifest) => asObject(image === undefined ? manifest : ofImage(manifest, image), path));
  });
  if (found.length > MAX_OBJECTS) {
    throw invalid(`${shown(folder)} has ${found.length} objects, more than ${MAX_OBJECTS}`);
  }
  const objects = found.toSorted((one, other) => rankOf(one) - rankOf(other));
  return { folder, files: files.length, objects, namespace: namespaceOf(objects, folder) };
}

/** What a file of manifests has at most. */
const MAX_FILE_BYTES = 2 << 20;

function filesIn(folder: string): string[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    throw invalid(`cannot read the folder ${shown(folder)}: ${messageOf(error)}`);
  }
  const files = names.filter((name) => /\.(ya?ml|json)$/.test(name)).sort();
  if (files.length === 0) {
    throw invalid(
      `${shown(folder)} has no manifests (*.yaml, *.json): npm run synth writes some, and --dir names them`,
    );
  }
  if (files.length > MAX_FILES) throw invalid(`${shown(folder)} has ${files.length} files, more than ${MAX_FILES}`);
  return files;
}

function asObject(manifest: Manifest, path: string): InstallObject {
  const { apiVersion, kind, metadata } = manifest;
  const { name, namespace } = isRecord(metadata) ? metadata : {};
  const isText = (value: unknown) => typeof value === 'string' && value !== '' && value.length <= MAX_NAME;
  if (!isText(apiVersion) || !isText(kind) || !isText(name)) {
    throw invalid(`${shown(path)} has an object without apiVersion, kind and metadata.name: ${shown(manifest)}`);
  }
  if (namespace !== undefined && !isDnsLabel(String(namespace))) {
    throw invalid(`${shown(path)}: ${kind} ${name} is in namespace ${shown(namespace)}, which cannot be one`);
  }
  return {
    apiVersion: String(apiVersion),
    kind: String(kind),
    name: String(name),
    ...(namespace !== undefined && { namespace: String(namespace) }),
    manifest,
  };
}

function rankOf({ kind }: InstallObject): number {
  const first = FIRST.indexOf(kind);
  return first >= 0 ? first : FIRST.length + 1 + LAST.indexOf(kind);
}

function namespaceOf(objects: readonly InstallObject[], folder: string): string {
  const main = objects.find(({ kind, name }) => kind === 'StatefulSet' && name === 'ca');
  const webhook = objects.find(({ kind, name }) => kind === 'Deployment' && name.startsWith('autocert'));
  const { namespace } = main ?? webhook ?? {};
  if (namespace !== undefined) return namespace;
  throw invalid(
    `${shown(folder)} has neither StatefulSet ca nor Deployment autocert: these are not Autocert's manifests`,
  );
}

/** The template of a Job is never changed, so one of another image is another Job; the Job of before goes after a day. */
function ofImage(manifest: Manifest, image: string): Manifest {
  const changed = withImage(manifest, image) as Manifest;
  const { kind, metadata } = changed;
  if (kind !== 'Job' || !isRecord(metadata)) return changed;
  const digest = createHash('sha256').update(image).digest('hex').slice(0, DIGEST_LENGTH);
  return { ...changed, metadata: { ...metadata, name: `${metadata.name}-${digest}` } };
}

function withImage(value: unknown, image: string): unknown {
  if (value === DEFAULT_IMAGE) return image;
  if (Array.isArray(value)) return value.map((item) => withImage(item, image));
  if (!isRecord(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withImage(item, image)]));
}

/** Manifests that come with a program. */
export interface OwnManifests {
  readonly folder: string;
  /** The program is that of the image, so the pod in which it runs is of that image. */
  readonly inImage: boolean;
}

/** From the folder of the program in the image. */
const IN_IMAGE = '../share/autocert/dist';

/**
 * The manifests that come with this program: in the image, in the package, in a checkout.
 * @param program the running script
 * @throws AutocertError `INVALID_INPUT` where there is nothing but the program
 */
export function ownManifests(program: string): OwnManifests {
  const home = dirname(realpathSync(program));
  const found = [IN_IMAGE, '../dist', '../../dist'].find((place) => existsSync(join(home, place)));
  if (found !== undefined) return { folder: join(home, found), inImage: found === IN_IMAGE };
  throw invalid('this program has come without manifests: name a folder that has them by --dir');
}

/** How people name an object: `deployment/autocert`. */
export function labelOf({ kind, name }: Pick<InstallObject, 'kind' | 'name'>): string {
  return `${kind.toLowerCase()}/${name}`;
}

function invalid(message: string): AutocertError {
  return new AutocertError('INVALID_INPUT', message);
}

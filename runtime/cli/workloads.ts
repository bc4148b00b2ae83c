/**
 * The kinds of the Kubernetes API that have a pod, or make some by a template, and the pod as it would be created.
 * @module
 */
import { isRecord } from '../lib/validator.ts';
import type { Manifest } from './manifests.ts';

/** A kind that has a pod or a pod template. */
export interface WorkloadKind {
  readonly kind: string;
  /** Plural, as in paths of the API. */
  readonly plural: string;
  /** Short names as kubectl has them. */
  readonly short: readonly string[];
  /** Group of the API; empty: the core group. */
  readonly group: string;
  /** Where the pod or its template is. */
  readonly path: readonly string[];
}

const TEMPLATE = ['spec', 'template'];

/** All of them. */
export const WORKLOAD_KINDS: readonly WorkloadKind[] = [
  { kind: 'Pod', plural: 'pods', short: ['po'], group: '', path: [] },
  { kind: 'Deployment', plural: 'deployments', short: ['deploy'], group: 'apps', path: TEMPLATE },
  { kind: 'StatefulSet', plural: 'statefulsets', short: ['sts'], group: 'apps', path: TEMPLATE },
  { kind: 'DaemonSet', plural: 'daemonsets', short: ['ds'], group: 'apps', path: TEMPLATE },
  { kind: 'ReplicaSet', plural: 'replicasets', short: ['rs'], group: 'apps', path: TEMPLATE },
  { kind: 'Job', plural: 'jobs', short: [], group: 'batch', path: TEMPLATE },
  { kind: 'CronJob', plural: 'cronjobs', short: ['cj'], group: 'batch', path: ['spec', 'jobTemplate', ...TEMPLATE] },
  { kind: 'ReplicationController', plural: 'replicationcontrollers', short: ['rc'], group: '', path: TEMPLATE },
  { kind: 'PodTemplate', plural: 'podtemplates', short: [], group: '', path: ['template'] },
];

/** Path of the objects of a kind, of a namespace or of all. */
export function workloadsPath({ group, plural }: WorkloadKind, namespace?: string): string {
  const root = group === '' ? '/api/v1' : `/apis/${group}/v1`;
  const scope = namespace === undefined ? '' : `/namespaces/${encodeURIComponent(namespace)}`;
  return `${root}${scope}/${plural}`;
}

/** A pod as the API server would be asked to create it: nothing of it has been validated but that these are there. */
export interface CreatedPod {
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly spec: unknown;
}

/** The kind of a manifest; `undefined`: it has no pod. A manifest without `apiVersion` is taken by its kind alone. */
export function workloadKindOf({ kind, apiVersion }: Manifest): WorkloadKind | undefined {
  const found = WORKLOAD_KINDS.find((known) => known.kind === kind);
  if (!found || typeof apiVersion !== 'string') return found;
  const group = apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '';
  return group === found.group ? found : undefined;
}

/** The kind that a word of the command line names: `pod`, `pods`, `po`, `deployments.apps`. */
export function workloadKindNamed(word: string): WorkloadKind | undefined {
  const [name = '', ...group] = word.toLowerCase().split('.');
  return WORKLOAD_KINDS.find(
    ({ kind, plural, short, group: own }) =>
      [kind.toLowerCase(), plural, ...short].includes(name) && (group.length === 0 || group.join('.') === own),
  );
}

/** Pod of a manifest as its controller would create it; `undefined`: there is no template where it should be. */
export function podOf(manifest: Manifest, { path }: WorkloadKind): CreatedPod | undefined {
  let template: unknown = manifest;
  for (const key of path) template = isRecord(template) ? template[key] : undefined;
  if (!isRecord(template)) return undefined;
  const { managedFields: _, ...metadata } = isRecord(template.metadata) ? template.metadata : {};
  const generateName = `${nameOf(manifest)}-`;
  return {
    metadata: path.length === 0 ? metadata : { generateName, ...metadata },
    spec: isRecord(template.spec) ? { serviceAccountName: accountOf(template.spec), ...template.spec } : template.spec,
  };
}

/** The name of an object; of one that has none yet, the beginning of it. */
export function nameOf({ metadata }: Manifest): string {
  const { name, generateName } = isRecord(metadata) ? metadata : {};
  return [name, generateName, 'pod'].find((text) => typeof text === 'string' && text !== '') as string;
}

/** The API server fills it in, from the old name of the field, too. */
function accountOf({ serviceAccount }: Readonly<Record<string, unknown>>): string {
  return typeof serviceAccount === 'string' && serviceAccount !== '' ? serviceAccount : 'default';
}

/**
 * Who uses Autocert: namespaces with the label, pods that are injected, templates with annotations. Reads only.
 * @module
 */
import { Annotation, DOMAIN, type NamespaceLabel, STATUS_INJECTED } from '../../contract.ts';
import type { KubernetesApi } from '../../kubernetes/client.ts';
import { METADATA_ONLY } from '../../kubernetes/pages.ts';
import { isRecord } from '../../lib/validator.ts';
import { labelText } from '../../policy/namespace-label.ts';
import { WORKLOAD_KINDS, type WorkloadKind, workloadsPath } from '../workloads.ts';
import { pagesIfAny, type ReadObject } from './objects.ts';

/** Something that is counted to its end and named as far as there is room. */
export interface Counted {
  readonly count: number;
  readonly names: readonly string[];
}

/** A template whose annotations can be taken out. */
export interface Template {
  /** Such as `deployment/web in namespace shop`. */
  readonly label: string;
  readonly path: string;
  /** What to send as a merge patch (RFC 7396) to be rid of them. */
  readonly patch: object;
}

/** Templates with annotations. */
export interface Templates {
  readonly own: readonly Template[];
  /** Those that another object makes, and would make again. */
  readonly owned: Counted;
  /** There are more than {@link MAX_TEMPLATES}. */
  readonly more: boolean;
}

type Api = Pick<KubernetesApi, 'request'>;

/** Names that are shown. */
const MAX_NAMES = 50;
/** Namespaces and templates that one run changes. */
const MAX_NAMESPACES = 10_000;
const MAX_TEMPLATES = 10_000;

/** Kinds whose templates make pods, and can be changed: a Job's cannot, and a pod's annotations are never changed. */
const KINDS = WORKLOAD_KINDS.filter(({ kind }) => kind !== 'Pod' && kind !== 'Job');

/** Names of the namespaces that have the label. */
export async function enabledNamespaces(api: Api, label: NamespaceLabel): Promise<string[]> {
  const query = { labelSelector: labelText(label) };
  const names: string[] = [];
  for await (const items of pagesIfAny<ReadObject>(api, '/api/v1/namespaces', query, METADATA_ONLY)) {
    names.push(...items.flatMap(({ metadata }) => metadata?.name ?? []));
    if (names.length > MAX_NAMESPACES) break; // the rest in the next run
  }
  return names.slice(0, MAX_NAMESPACES);
}

/** Pods that have been injected, wherever they are. */
export async function injectedPods(api: Api): Promise<Counted> {
  const names: string[] = [];
  let count = 0;
  for await (const items of pagesIfAny<ReadObject>(api, '/api/v1/pods', {}, METADATA_ONLY)) {
    for (const { metadata = {} } of items) {
      if (metadata.annotations?.[Annotation.status] !== STATUS_INJECTED) continue;
      count += 1;
      if (names.length < MAX_NAMES) names.push(`${metadata.namespace}/${metadata.name}`);
    }
  }
  return { count, names };
}

/** Templates with annotations of Autocert's. @param except its own namespace: its pods have such annotations, too */
export async function annotatedTemplates(api: Api, except: string): Promise<Templates> {
  const own: Template[] = [];
  const owned: string[] = [];
  let ownedCount = 0;
  for (const kind of KINDS) {
    for await (const items of pagesIfAny<Readonly<Record<string, unknown>>>(api, workloadsPath(kind))) {
      for (const object of items) {
        const keys = annotationsOf(object, kind);
        const { name, namespace, ownerReferences } = object.metadata as {
          name: string;
          namespace: string;
          ownerReferences?: readonly { readonly controller?: boolean }[];
        };
        if (keys.length === 0 || namespace === except) continue;
        const label = `${kind.kind.toLowerCase()}/${name} in namespace ${namespace}`;
        if (ownerReferences?.some(({ controller }) => controller)) {
          // A Deployment's ReplicaSets go with it.
          if (kind.kind === 'ReplicaSet') continue;
          ownedCount += 1;
          if (owned.length < MAX_NAMES) owned.push(label);
          continue;
        }
        if (own.length === MAX_TEMPLATES) return { own, owned: { count: ownedCount, names: owned }, more: true };
        const path = `${workloadsPath(kind, namespace)}/${encodeURIComponent(name)}`;
        own.push({ label, path, patch: without(keys, kind) });
      }
    }
  }
  return { own, owned: { count: ownedCount, names: owned }, more: false };
}

function annotationsOf(object: Readonly<Record<string, unknown>>, { path }: WorkloadKind): string[] {
  let at: unknown = object;
  for (const key of [...path, 'metadata', 'annotations']) at = isRecord(at) ? at[key] : undefined;
  return isRecord(at) ? Object.keys(at).filter((key) => key.startsWith(`${DOMAIN}/`)) : [];
}

/** `null` deletes, in a merge patch. */
function without(keys: readonly string[], { path }: WorkloadKind): object {
  const annotations: object = Object.fromEntries(keys.map((key) => [key, null]));
  return [...path, 'metadata', 'annotations'].reduceRight((value, key) => ({ [key]: value }), annotations);
}

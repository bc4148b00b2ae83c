/**
 * Whose pods are to be explained: objects of the cluster by name, and those of documents.
 * @module
 */
import { ifFound } from '../../kubernetes/cluster-state.ts';
import { AutocertError } from '../../lib/errors.ts';
import { isRecord, shown } from '../../lib/validator.ts';
import { isDnsLabel } from '../../policy/names.ts';
import type { Connection } from '../cluster-connection.ts';
import type { Manifest } from '../manifests.ts';
import {
  nameOf,
  podOf,
  WORKLOAD_KINDS,
  type WorkloadKind,
  workloadKindNamed,
  workloadKindOf,
  workloadsPath,
} from '../workloads.ts';
import type { Subject } from './explanation.ts';

/** Most objects that are named at once. */
const MAX_NAMED = 100;
/** RFC 1123 subdomain, as the Kubernetes API takes it for names. */
const NAME = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/;

/** An object of the cluster. */
export interface NamedObject {
  readonly kind: WorkloadKind;
  readonly name: string;
}

const invalid = (message: string) => new AutocertError('INVALID_INPUT', message);

/**
 * Reads `kind/name` words.
 * @throws AutocertError `INVALID_INPUT` with what is wanted
 */
export function namedObjects(words: readonly string[]): NamedObject[] {
  if (words.length > MAX_NAMED) throw invalid(`${words.length} objects are more than ${MAX_NAMED}`);
  return words.map((word) => {
    const [type = '', name, ...rest] = word.split('/');
    const kind = workloadKindNamed(type);
    const known = WORKLOAD_KINDS.map((one) => one.kind.toLowerCase()).join(', ');
    if (name === undefined || rest.length > 0)
      throw invalid(`${shown(word)}: write KIND/NAME, such as pod/web-0 or deployment/web`);
    if (!kind) throw invalid(`${shown(word)}: ${shown(type)} has no pods: the kind is one of ${known}`);
    if (!NAME.test(name)) throw invalid(`${shown(word)}: ${shown(name)} cannot be a name`);
    return { kind, name };
  });
}

/**
 * Reads an object of the cluster.
 * @throws AutocertError `INVALID_INPUT` when there is none; what the API server refuses
 */
export async function subjectOf({ kind, name }: NamedObject, namespace: string, { api }: Connection): Promise<Subject> {
  const found = await ifFound(api.get<Manifest>(`${workloadsPath(kind, namespace)}/${name}`));
  const pod = found && podOf(found, kind);
  if (!pod) throw invalid(`there is no ${kind.kind.toLowerCase()}/${name} in namespace ${namespace}: -n names another`);
  return { kind: kind.kind, namespace, name, pod, live: kind.kind === 'Pod' };
}

/**
 * Those of documents, in order.
 * @param namespace of objects that name none
 * @throws AutocertError `INVALID_INPUT` when an object names what cannot be a namespace
 */
export function subjectsIn(objects: readonly Manifest[], namespace: string): Subject[] {
  return objects.flatMap((object) => {
    const kind = workloadKindOf(object);
    const pod = kind && podOf(object, kind);
    if (!pod) return [];
    const name = nameOf(object);
    const { namespace: own = namespace } = isRecord(object.metadata) ? object.metadata : {};
    if (typeof own !== 'string' || !isDnsLabel(own)) {
      throw invalid(`${kind.kind} ${shown(name)}: metadata.namespace ${shown(own)} cannot be a namespace`);
    }
    return [{ kind: kind.kind, namespace: own, name, pod }];
  });
}

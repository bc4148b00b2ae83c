/**
 * What applying would change, and the applying: server-side, so that what others write into an object stays theirs.
 * @module
 */
import { isDeepStrictEqual } from 'node:util';
import type { KubernetesApi } from '../../kubernetes/client.ts';
import { ifFound } from '../../kubernetes/cluster-state.ts';
import { objectPath } from '../../kubernetes/discovery.ts';
import { AutocertError } from '../../lib/errors.ts';
import { isRecord } from '../../lib/validator.ts';
import { labelOf } from './bundle.ts';
import type { Located } from './checks.ts';

type Api = Pick<KubernetesApi, 'get' | 'apply'>;

/** What becomes of an object. */
export type Change = 'create' | 'change' | 'none';

/** An object, and what becomes of it. */
export interface PlannedObject extends Located {
  readonly path: string;
  readonly change: Change;
}

/** Who the API server says has written a field. */
export const FIELD_MANAGER = 'autocert-install';

/** Dry runs at a time: the API server has others to serve. */
const AT_ONCE = 8;

/** How objects are applied. */
export interface ApplyFlags {
  /** Namespace of what names none. */
  readonly usualNamespace: string;
  /** Take over fields that somebody else manages. */
  readonly force: boolean;
}

/**
 * Has the API server try all objects, admission included, without keeping any. What is in a namespace that is not there yet
 * it cannot try: nobody else can have a part in that.
 * @throws AutocertError `INVALID_INPUT` for a conflict, and what the API server refuses else
 */
export async function planChanges(api: Api, objects: readonly Located[], flags: ApplyFlags): Promise<PlannedObject[]> {
  const missing = await missingNamespaces(api, objects, flags);
  const planned: PlannedObject[] = [];
  for (let start = 0; start < objects.length; start += AT_ONCE) {
    const some = objects.slice(start, start + AT_ONCE);
    planned.push(...(await Promise.all(some.map((object) => plan(api, object, missing, flags)))));
  }
  return planned;
}

/** Applies one object. */
export function applyObject(api: Api, object: PlannedObject, { force }: ApplyFlags): Promise<unknown> {
  return explained(object, api.apply(object.path, object.manifest, FIELD_MANAGER, { force }));
}

async function missingNamespaces(
  api: Api,
  objects: readonly Located[],
  flags: ApplyFlags,
): Promise<ReadonlySet<string>> {
  const names = new Set(objects.filter(({ resource }) => resource.namespaced).map((each) => placeOf(each, flags)));
  const looks = [...names].map(async (name) => {
    const found = await ifFound(api.get(`/api/v1/namespaces/${encodeURIComponent(name)}`));
    return found === undefined ? [name] : [];
  });
  const missing = new Set((await Promise.all(looks)).flat());
  const brought = objects.filter(({ kind }) => kind === 'Namespace').map(({ name }) => name);
  const nowhere = [...missing].filter((name) => !brought.includes(name));
  if (nowhere.length === 0) return missing;
  throw new AutocertError(
    'INVALID_INPUT',
    `there is no namespace ${nowhere.join(', ')}, and the manifests make none: kubectl create namespace ${nowhere[0]}`,
  );
}

const placeOf = ({ namespace }: Located, { usualNamespace }: ApplyFlags) => namespace ?? usualNamespace;

async function plan(
  api: Api,
  object: Located,
  missing: ReadonlySet<string>,
  flags: ApplyFlags,
): Promise<PlannedObject> {
  const { resource, name, manifest } = object;
  const place = placeOf(object, flags);
  const path = objectPath(resource, place, name);
  if (resource.namespaced && missing.has(place)) return { ...object, path, change: 'create' };
  const [before, after] = await Promise.all([
    ifFound(api.get<unknown>(path)),
    explained(object, api.apply<unknown>(path, manifest, FIELD_MANAGER, { force: flags.force, dryRun: true })),
  ]);
  const change = before === undefined ? 'create' : isDeepStrictEqual(gist(before), gist(after)) ? 'none' : 'change';
  return { ...object, path, change };
}

/** An object without what tells of its storing. */
function gist(object: unknown): unknown {
  if (!isRecord(object)) return object;
  const { status: _, metadata, ...rest } = object;
  if (!isRecord(metadata)) return rest;
  const { managedFields, resourceVersion, generation, creationTimestamp, uid, selfLink, ...own } = metadata;
  return { ...rest, metadata: own };
}

async function explained<T>(object: Located, answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (!(error instanceof AutocertError)) throw error;
    const { code, status, reason } = error;
    const way =
      status === 409
        ? '\nSomebody else keeps this object: go on with the tool by which it was installed, or take these fields over by --force-conflicts'
        : '';
    throw new AutocertError(code, `${labelOf(object)}: ${error.message}${way}`, {
      cause: error.cause,
      ...(status !== undefined && { status }),
      ...(reason !== undefined && { reason }),
    });
  }
}

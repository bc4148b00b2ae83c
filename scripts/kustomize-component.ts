/**
 * A Component of kustomize that turns manifests into others of the same kinds, such as those of another namespace, by JSON patches
 * (RFC 6902). Each value is replaced only if it is what it was: a `test` goes before.
 * @module
 */
import { stringify, YAMLMap } from 'yaml';
import { type Change, changesBetween } from './json-changes.ts';

/** An object as it is applied. */
export interface KubernetesObject {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

/** What a patch of kustomize is for: all objects that match, by regular expressions. */
interface Target {
  readonly kind?: string;
  readonly name?: string;
  readonly namespace?: string;
}

/** YAML as kustomize reads it: in version 1.1 `on` and `no` are no strings. */
const YAML = { version: '1.1', lineWidth: 0 } as const;
/** What still has its place in one line. */
const SHORT = 120;

/**
 * The Component.
 * @param before the objects of the base
 * @param after the same objects, in the same order, as they are to be
 * @param manifests what the base is known by: a ConfigMap that it makes and that is never applied
 * @throws Error where they are not the same objects
 */
export function componentFor(
  before: readonly KubernetesObject[],
  after: readonly KubernetesObject[],
  manifests: string,
): string {
  const kinds = (objects: readonly KubernetesObject[]) => objects.map(({ kind }) => kind).join(', ');
  if (kinds(before) !== kinds(after)) throw new Error(`the manifests have other objects: ${kinds(after)}`);
  // Changes nothing, and is refused where there is no such object; a patch that has a target would be passed over.
  const guard = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: manifests } };
  const changes = before.map((object, index) => ({ object, changes: changesBetween(object, after[index]) }));
  const patches = patchesOf(changes, before).map(({ target, changes }) => ({
    target: inOneLine(target),
    patch: stringify(changes.flatMap(operations), YAML),
  }));
  return stringify(
    {
      apiVersion: 'kustomize.config.k8s.io/v1alpha1',
      kind: 'Component',
      patches: [{ patch: stringify(guard, YAML) }, ...patches],
    },
    YAML,
  );
}

interface Changed {
  readonly object: KubernetesObject;
  readonly changes: readonly Change[];
}

interface Patch {
  readonly target: Target;
  readonly changes: readonly Change[];
}

/** First what several objects have in common, such as their namespace, then what each has for itself. */
function patchesOf(changed: readonly Changed[], all: readonly KubernetesObject[]): readonly Patch[] {
  const byChange = Map.groupBy(
    changed.flatMap(({ object, changes }) => changes.map((change) => ({ object, change }))),
    ({ change }) => JSON.stringify(change),
  );
  const common = [...byChange].flatMap(([key, places]) => {
    const objects = places.map(({ object }) => object);
    const target = objects.length > 1 ? targetOf(objects, all) : undefined;
    return target === undefined ? [] : [{ key, target, changes: places.slice(0, 1).map(({ change }) => change) }];
  });
  const done = new Set(common.map(({ key }) => key));
  const own = changed.flatMap(({ object, changes }) => {
    const left = changes.filter((change) => !done.has(JSON.stringify(change)));
    return left.length === 0 ? [] : [{ target: targetOf([object], all) ?? whole(object), changes: left }];
  });
  return [...common, ...own];
}

const whole = ({ kind, metadata: { name, namespace } }: KubernetesObject): Target => ({
  kind,
  name,
  ...(namespace !== undefined && { namespace }),
});

/** The shortest selector of these objects and of no others; `undefined`: there is none. */
function targetOf(objects: readonly KubernetesObject[], all: readonly KubernetesObject[]): Target | undefined {
  const any = (values: readonly (string | undefined)[]) => [...new Set(values)].join('|');
  const kind = any(objects.map((object) => object.kind));
  const name = any(objects.map(({ metadata }) => metadata.name));
  const namespace = any(objects.map(({ metadata }) => metadata.namespace));
  const wide: readonly Target[] = [{ namespace }, { kind }];
  const candidates: readonly Target[] = [...(objects.length > 1 ? wide : []), { kind, name }];
  return candidates.find((target) => {
    const isMeant = (object: KubernetesObject) =>
      matches(target.kind, object.kind) &&
      matches(target.name, object.metadata.name) &&
      matches(target.namespace, object.metadata.namespace ?? '');
    return all.every((object) => isMeant(object) === objects.includes(object));
  });
}

/** As kustomize has it: no pattern, or an empty one, is for all. */
const matches = (pattern: string | undefined, text: string) =>
  pattern === undefined || pattern === '' || new RegExp(`^(?:${pattern})$`).test(text);

/** One change, as operations of RFC 6902. */
function operations({ path, from, to }: Change): readonly object[] {
  return [operation('test', path, from), operation('replace', path, to)];
}

function operation(op: string, path: string, value: unknown): object {
  const one = { op, path, value };
  if (JSON.stringify(one).length <= SHORT) return inOneLine(one);
  // Kustomize cuts line ends off a patch: nothing that ends with one may be its last word.
  return typeof value === 'string' && value.endsWith('\n') ? { op, value, path } : one;
}

function inOneLine(value: object): YAMLMap {
  const map = new YAMLMap();
  map.flow = true;
  for (const [key, item] of Object.entries(value)) map.set(key, item);
  return map;
}

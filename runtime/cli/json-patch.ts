/**
 * Applies the JSON Patch (RFC 6902) of an admission answer as strictly as the API server does. The webhook sends `add`
 * operations only, so nothing else is implemented.
 * @module
 */

/** One operation of RFC 6902 section 4. */
export interface PatchOperation {
  readonly op: string;
  readonly path: string;
  readonly value?: unknown;
}

type Node = Record<string, unknown> | unknown[];

const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null;

/**
 * A copy of the document with all operations applied, in order.
 * @throws Error if an operation is not `add`, or its place does not exist
 */
export function applyPatch<T>(document: T, operations: readonly PatchOperation[]): T {
  const copy = structuredClone(document);
  for (const { op, path, value } of structuredClone(operations)) {
    if (op !== 'add') throw new Error(`JSON Patch: ${op} is not expected`);
    // RFC 6901 section 4: `~1` stands for `/` and `~0` for `~`
    const keys = path.split('/').slice(1);
    const [key = '', ...parents] = keys.map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~')).reverse();
    const child = (node: unknown, name: string) => (isNode(node) ? Reflect.get(node, name) : undefined);
    const parent = parents.reduceRight<unknown>(child, copy);
    if (!isNode(parent)) throw new Error(`JSON Patch: nothing is at the parent of ${path}`);
    if (!Array.isArray(parent)) parent[key] = value;
    else parent.splice(indexIn(parent, key, path), 0, value);
  }
  return copy;
}

function indexIn(list: readonly unknown[], key: string, path: string): number {
  const index = key === '-' ? list.length : Number(key);
  if (Number.isInteger(index) && index >= 0 && index <= list.length) return index;
  throw new Error(`JSON Patch: no such place: ${path}`);
}

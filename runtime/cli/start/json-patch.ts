/**
 * Applies the JSON Patch (RFC 6902) of an admission answer, as strictly as the API server does: the operations that
 * the webhook may send (`add`, `replace`, `remove`), on a copy.
 * @module
 */

/** One operation of RFC 6902 section 4. */
export interface PatchOperation {
  readonly op: string;
  readonly path: string;
  readonly value?: unknown;
}

/** `~1` stands for `/` and `~0` for `~` (RFC 6901 section 4). */
const decodeToken = (token: string) => token.replaceAll('~1', '/').replaceAll('~0', '~');

const child = (node: unknown, token: string): unknown =>
  Array.isArray(node) ? node[Number(token)] : (node as Record<string, unknown> | undefined)?.[token];

function applyToList(list: unknown[], token: string, { op, path, value }: PatchOperation): void {
  const index = token === '-' && op === 'add' ? list.length : Number(token);
  const last = op === 'add' ? list.length : list.length - 1;
  if (!Number.isInteger(index) || index < 0 || index > last) throw new Error(`JSON Patch: no such place: ${path}`);
  if (op === 'add') list.splice(index, 0, value);
  else if (op === 'replace') list[index] = value;
  else list.splice(index, 1);
}

function applyToObject(object: Record<string, unknown>, token: string, { op, path, value }: PatchOperation): void {
  if (op !== 'add' && !Object.hasOwn(object, token)) throw new Error(`JSON Patch: no such place: ${path}`);
  if (op === 'remove') delete object[token];
  else object[token] = value;
}

/**
 * The document with all operations applied, in order; the document given stays as it is.
 * @throws Error if an operation is none of the three, or its place does not exist
 */
export function applyPatch<T>(document: T, operations: readonly PatchOperation[]): T {
  const copy = structuredClone(document);
  for (const operation of operations) {
    const { op, path } = operation;
    if (!['add', 'replace', 'remove'].includes(op)) throw new Error(`JSON Patch: ${op} is not expected`);
    const tokens = path.split('/').slice(1).map(decodeToken);
    const last = tokens.pop();
    const parent = tokens.reduce<unknown>(child, copy);
    if (last === undefined || typeof parent !== 'object' || parent === null) {
      throw new Error(`JSON Patch: nothing is at the parent of ${path}`);
    }
    if (Array.isArray(parent)) applyToList(parent, last, structuredClone(operation));
    else applyToObject(parent as Record<string, unknown>, last, structuredClone(operation));
  }
  return copy;
}

/**
 * Applies the JSON Patch (RFC 6902) of an admission answer, as the API server does: the operations that the webhook
 * sends (`add`, `replace`, `remove`), on a copy.
 * @module
 */

/** One operation of RFC 6902 section 4. */
export interface PatchOperation {
  readonly op: 'add' | 'replace' | 'remove';
  readonly path: string;
  readonly value?: unknown;
}

type Container = Record<string, unknown> | unknown[];

/** `~1` stands for `/` and `~0` for `~` (RFC 6901 section 4). */
const decodeToken = (token: string) => token.replaceAll('~1', '/').replaceAll('~0', '~');

const child = (node: unknown, token: string): unknown =>
  Array.isArray(node) ? node[Number(token)] : (node as Record<string, unknown> | undefined)?.[token];

function applyTo(parent: Container, token: string, { op, value }: PatchOperation): void {
  if (Array.isArray(parent)) {
    const index = token === '-' ? parent.length : Number(token);
    if (op === 'add') parent.splice(index, 0, value);
    else if (op === 'replace') parent[index] = value;
    else parent.splice(index, 1);
  } else if (op === 'remove') delete parent[token];
  else parent[token] = value;
}

/**
 * The document with all operations applied, in order; the document given stays as it is.
 * @throws Error if an operation's parent does not exist
 */
export function applyPatch<T>(document: T, operations: readonly PatchOperation[]): T {
  const copy = structuredClone(document);
  for (const operation of operations) {
    const tokens = operation.path.split('/').slice(1).map(decodeToken);
    const last = tokens.pop();
    const parent = tokens.reduce<unknown>(child, copy);
    if (last === undefined || typeof parent !== 'object' || parent === null) {
      throw new Error(`JSON Patch: nothing is at the parent of ${JSON.stringify(operation.path)}`);
    }
    applyTo(parent as Container, last, structuredClone(operation));
  }
  return copy;
}

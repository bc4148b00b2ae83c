/** A small applier of JSON Patch (RFC 6902): `add` alone, as strict as the API server's. @module */

interface Operation {
  readonly op: string;
  readonly path: string;
  readonly value: unknown;
}

/** The document after the patch; the given one stays as it is. */
export function applyPatch<T>(document: T, patch: readonly Operation[]): T {
  const copy = structuredClone(document);
  for (const { op, path, value } of patch) {
    if (op !== 'add') throw new Error(`operation ${op} is not expected`);
    const tokens = path
      .split('/')
      .slice(1)
      .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));
    const last = tokens.pop() ?? '';
    let target: unknown = copy;
    for (const token of tokens) target = (target as Record<string, unknown>)[token];
    if (typeof target !== 'object' || target === null) throw new Error(`${path}: there is nothing to add to`);
    if (Array.isArray(target)) insert(target, last, structuredClone(value));
    else (target as Record<string, unknown>)[last] = structuredClone(value);
  }
  return copy;
}

function insert(list: unknown[], token: string, value: unknown): void {
  const index = token === '-' ? list.length : Number(token);
  if (!Number.isInteger(index) || index < 0 || index > list.length) throw new Error(`no place ${token} in a list`);
  list.splice(index, 0, value);
}

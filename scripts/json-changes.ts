/**
 * What two JSON values differ in.
 * @module
 */

/** A place with another value. */
export interface Change {
  /** JSON pointer (RFC 6901). */
  readonly path: string;
  readonly from: unknown;
  readonly to: unknown;
}

/** Where `after` has another value: as deep as both have the same keys. */
export function changesBetween(before: unknown, after: unknown, path = ''): Change[] {
  const [from, to] = [entriesOf(before), entriesOf(after)];
  const isAlike = from !== undefined && Array.isArray(before) === Array.isArray(after);
  const keys = (entries: readonly (readonly [string, unknown])[] = []) => JSON.stringify(entries.map(([key]) => key));
  if (isAlike && keys(from) === keys(to)) {
    return from.flatMap(([key, value], index) =>
      changesBetween(value, to?.[index]?.[1], `${path}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`),
    );
  }
  return JSON.stringify(before) === JSON.stringify(after) ? [] : [{ path, from: before, to: after }];
}

function entriesOf(value: unknown): readonly (readonly [key: string, value: unknown])[] | undefined {
  return typeof value === 'object' && value !== null ? Object.entries(value) : undefined;
}

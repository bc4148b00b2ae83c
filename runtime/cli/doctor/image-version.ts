/**
 * Versions in the tags of images. Pure.
 * @module
 */

/** Whether the first image has a lower version than the second, by their tags; `false`, too, where they have none. */
export function isOlder(one: string, other: string): boolean {
  const [first, second] = [versionOf(one), versionOf(other)];
  if (!first || !second) return false;
  const at = first.findIndex((number, index) => number !== second[index]);
  return at >= 0 && (first[at] ?? 0) < (second[at] ?? 0);
}

function versionOf(image: string): readonly number[] | undefined {
  const [, ...numbers] = /:v?(\d{1,6})\.(\d{1,6})\.(\d{1,6})(?:[-+@][^/]*)?$/.exec(image) ?? [];
  return numbers.length === 0 ? undefined : numbers.map(Number);
}

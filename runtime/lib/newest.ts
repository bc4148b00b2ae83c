/**
 * Memory that has a bound: what is oldest goes.
 * @module
 */

/** Puts an entry last into a map whose order is that of age; of more than `most` entries the oldest is forgotten. */
export function putNewest<V>(map: Map<string, V>, key: string, value: V, most: number): void {
  map.delete(key);
  const [oldest] = map.keys();
  if (map.size >= most && oldest !== undefined) map.delete(oldest);
  map.set(key, value);
}

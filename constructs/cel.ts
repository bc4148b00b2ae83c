/**
 * Pieces of CEL (Common Expression Language), the language of admission policies. What a user gave becomes a literal or
 * a regular expression (RE2), never code.
 * @module
 */
import { DOMAIN, type PolicyConfig } from '../runtime/contract.ts';
import { MAX_DURATION_LENGTH } from '../runtime/policy/duration.ts';

/** A string literal. */
export function celText(text: string): string {
  // JSON's escapes are a subset of CEL's.
  return JSON.stringify(text);
}

/** A list of string literals. */
export function celList(texts: readonly string[]): string {
  return `[${texts.map(celText).join(', ')}]`;
}

/** A string from a map with string keys, by a key that is an expression; `otherwise` (an expression) where it has none. */
export function celLookup(table: Readonly<Record<string, string>>, key: string, otherwise: string): string {
  const entries = Object.entries(table).sort(([a], [b]) => (a < b ? -1 : 1));
  if (entries.length === 0) return otherwise;
  return `{${entries.map(([name, text]) => `${celText(name)}: ${celText(text)}`).join(', ')}}[?${key}].orValue(${otherwise})`;
}

/** The key of the namespace a request is for. */
export const CEL_NAMESPACE = 'request.namespace';

/** A part of a duration, in units that take so many digits before a sum of such parts could overflow; see below. */
const PARTS = Object.entries({ h: 5, m: 7, s: 9, ms: 12, '(us|µs|μs)': 15, ns: 18 }).map(
  ([unit, digits]) => `(0*[0-9]{1,${digits}}(\\.[0-9]*)?|\\.[0-9]+)${unit}`,
);

/**
 * Whether an expression is a duration in Go's syntax: parts in any order, as `parseDuration` takes them. What this lets
 * through CEL's `duration()` can read: within the length that is looked at, parts with so few digits add up to less than
 * the 292 years that it holds. A part with more digits is eleven years or more, which no policy allows (`lifetimes.ts`).
 */
export function celIsDuration(expression: string): string {
  const form = celText(`^(${PARTS.join('|')})+$`);
  return `(${expression}.size() <= ${MAX_DURATION_LENGTH} && ${expression}.matches(${form}))`;
}

/** The longest lifetime in this namespace, a CEL duration. */
export function celLongest(policy: PolicyConfig): string {
  const byCa = `duration(${celText(policy.maxDuration)})`;
  const limits = Object.entries(policy.namespaces).flatMap(([namespace, { maxDuration }]) =>
    maxDuration === undefined ? [] : [[namespace, maxDuration] as const],
  );
  if (limits.length === 0) return byCa;
  const limit = `duration(${celLookup(Object.fromEntries(limits), CEL_NAMESPACE, celText(policy.maxDuration))})`;
  return `[${limit}, ${byCa}].min()`;
}

/** Start of the keys of Autocert's annotations. */
export const ANNOTATION_PREFIX = `${DOMAIN}/`;

/**
 * Pieces of CEL (Common Expression Language), the language of admission policies. What a user gave becomes a literal or
 * a regular expression (RE2), never code.
 * @module
 */
import { isIP } from 'node:net';
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

const LABEL = '[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?';
const FIRST = `(\\*|${LABEL})`;
const SEGMENT = "[A-Za-z0-9._~!$&'()+,;=:@-]+";

/** Names that a namespace may have, as one regular expression whose parts are CEL expressions joined by `+`. */
export function celAllowedNames(policy: PolicyConfig): string {
  const domain = escaped(policy.clusterDomain);
  const labels = `${FIRST}(\\.${LABEL})*\\.`;
  const own = [
    celText(`^(${labels}`),
    CEL_NAMESPACE,
    celText(`\\.svc(\\.${domain})?|${labels}`),
    CEL_NAMESPACE,
    celText(`\\.pod\\.${domain}|${FIRST}\\.`),
    CEL_NAMESPACE,
  ].join(' + ');
  const more = tableOf(policy, (pattern) => (isAddress(pattern) ? [] : [nameExpression(pattern)]), '|');
  const extra = Object.fromEntries(
    Object.entries(more).map(([namespace, expression]) => [namespace, `|${expression}`]),
  );
  return `${own} + ${celLookup(extra, CEL_NAMESPACE, '""')} + ")$"`;
}

/**
 * Whether an expression is an IP address that the namespace may have; `undefined`: no namespace may have one. Only then
 * the policy needs the CEL functions on addresses, which Kubernetes has from 1.31 on.
 */
export function celAllowedAddress(policy: PolicyConfig, expression: string): string | undefined {
  const blocks = tableOf(policy, (pattern) => (isAddress(pattern) ? [blockOf(pattern)] : []), ',');
  if (Object.keys(blocks).length === 0) return undefined;
  const allowed = `${celLookup(blocks, CEL_NAMESPACE, '""')}.split(",")`;
  return `(isIP(${expression}) && ${allowed}.exists(block, block != "" && cidr(block).containsIP(ip(${expression}))))`;
}

function tableOf(
  { namespaces }: PolicyConfig,
  select: (pattern: string) => readonly string[],
  separator: string,
): Record<string, string> {
  const rows = Object.entries(namespaces).map(
    ([namespace, { allowedNames = [] }]) => [namespace, allowedNames.flatMap(select).join(separator)] as const,
  );
  return Object.fromEntries(rows.filter(([, text]) => text !== ''));
}

function isAddress(pattern: string): boolean {
  return isIP(pattern.split('/')[0] ?? '') !== 0;
}

function blockOf(pattern: string): string {
  if (pattern.includes('/')) return pattern;
  return `${pattern}/${isIP(pattern) === 4 ? 32 : 128}`;
}

/** A pattern of `allowedNames` that is no address, as a regular expression. */
function nameExpression(pattern: string): string {
  if (pattern.startsWith('urn:')) return escaped(pattern);
  const scheme = pattern.indexOf('://');
  if (scheme < 0) return pattern.split('.').map(labelExpression).join('\\.');
  const [host = '', ...segments] = pattern.slice(scheme + 3).split('/');
  return [escaped(pattern.slice(0, scheme + 3) + host), ...segments.map(segmentExpression)].join('/');
}

/** A wildcard name has its `*` in front, so only a wildcard in front of the pattern covers it. */
function labelExpression(label: string, index: number): string {
  const one = index === 0 ? FIRST : LABEL;
  if (label === '**') return `${one}(\\.${LABEL})*`;
  return label === '*' ? one : escaped(label);
}

function segmentExpression(segment: string): string {
  if (segment === '**') return `${SEGMENT}(/${SEGMENT})*`;
  return segment === '*' ? SEGMENT : escaped(segment);
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

/**
 * Patterns of names, as an AutocertNamespace's `allowedNames` and the list of reserved names have them:
 * - DNS: `*` stands for exactly one label, `**` for one or more (at most once). A wildcard *name* matches when the pattern
 *   covers every name that it stands for, so its `*` only ever matches a `*` or `**` in front.
 * - IP addresses and CIDR blocks, v4 and v6.
 * - URIs: scheme and host literally; in the path `*` stands for one segment, `**` at the end for one or more.
 *
 * What a pattern stands for is a regular expression that JavaScript and RE2 (CEL) read alike, so that admission policies
 * (`constructs/cel.ts`) and this program cannot differ in it.
 * @module
 */
import { BlockList, isIP } from 'node:net';
import { messageOf } from '../lib/errors.ts';
import { isUri, nameProblem, quoteName, type SubjectName } from './names.ts';

/** A label, the first label of a name, which may be `*`, and a segment of a path. */
export const LABEL = '[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?';
export const FIRST_LABEL = `(\\*|${LABEL})`;
const SEGMENT_CHARACTERS = "A-Za-z0-9_~!$&'()+,;=:@-";

/** What a wildcard stands for, as regular expressions. */
export interface Wildcards {
  readonly label: string;
  readonly firstLabel: string;
  readonly segment: string;
}

/** As the RFCs have labels, and segments that are neither `.` nor `..`. */
const STRICT: Wildcards = {
  label: LABEL,
  firstLabel: FIRST_LABEL,
  segment: `(\\.{0,2}[${SEGMENT_CHARACTERS}][.${SEGMENT_CHARACTERS}]*|\\.{3}[.${SEGMENT_CHARACTERS}]*)`,
};

/** For names that are known to be right: much shorter, for whoever reads expressions often. */
export const LENIENT: Wildcards = { label: '[^.]+', firstLabel: '[^.]+', segment: `[.${SEGMENT_CHARACTERS}]+` };

/** Some patterns together. */
export interface PatternSet {
  /** Whether one of them matches the name. */
  readonly matches: (name: SubjectName) => boolean;
  /** Whether one of them matches the name, or a name that this wildcard name stands for: a certificate is good for both. */
  readonly touches: (name: SubjectName) => boolean;
}

/** A pattern with a problem matches nothing; configuration with one does not pass validation in the first place. */
interface Compiled extends PatternSet {
  readonly problem?: string;
}

/** Lists of patterns are parts of a configuration, and go with it. */
const sets = new WeakMap<readonly string[], PatternSet>();

/** Compiles a list of patterns, once. */
export function patternSet(patterns: readonly string[]): PatternSet {
  let set = sets.get(patterns);
  if (!set) {
    const all = patterns.map(compile);
    set = {
      matches: (name) => all.some((pattern) => pattern.matches(name)),
      touches: (name) => all.some((pattern) => pattern.touches(name)),
    };
    sets.set(patterns, set);
  }
  return set;
}

/** What is wrong with a pattern, beginning with "it" or "its"; `undefined`: nothing. */
export function patternProblem(pattern: string): string | undefined {
  return compile(pattern).problem;
}

/** Whether a pattern is of IP addresses, and has no regular expression. */
export function isAddressPattern(pattern: string): boolean {
  return isIP(pattern.split('/')[0] ?? '') !== 0;
}

/** Whether a label of a pattern stands for others. */
export function isWild(label: string | undefined): boolean {
  return label === '*' || label === '**';
}

/**
 * The names that a pattern matches, as a regular expression without anchors.
 * @param touching with the wildcard names that stand for one of them
 */
export function patternExpression(pattern: string, touching = false, wildcards = STRICT): string {
  if (isUri(pattern)) return uriExpression(pattern, wildcards);
  const [first = '', ...rest] = pattern.split('.');
  const start =
    touching && rest.length > 0 && !isWild(first)
      ? `(\\*|${escaped(first)})`
      : labelExpression(first, wildcards.firstLabel, wildcards);
  return [start, ...rest.map((label) => labelExpression(label, wildcards.label, wildcards))].join('\\.');
}

/** Text as a regular expression. */
export function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

/** A wildcard name has its `*` in front, so only a wildcard in front of the pattern covers it. */
function labelExpression(label: string, one: string, wildcards: Wildcards): string {
  if (label === '**') return `${one}(\\.${wildcards.label})*`;
  return label === '*' ? one : escaped(label);
}

function uriExpression(pattern: string, { segment: one }: Wildcards): string {
  if (pattern.startsWith('urn:')) return escaped(pattern);
  const [scheme = '', rest = ''] = pattern.split('://');
  const [host = '', ...segments] = rest.split('/');
  const path = segments.map((segment) => {
    if (segment === '**') return `${one}(/${one})*`;
    return segment === '*' ? one : escaped(segment);
  });
  return [escaped(`${scheme}://${host}`), ...path].join('/');
}

function compile(pattern: string): Compiled {
  try {
    if (isUri(pattern)) refuseBadUri(pattern);
    else if (isIP(pattern) || pattern.includes('/')) return compileBlock(pattern);
    else refuseBadDomain(pattern);
    return compileExpression(pattern);
  } catch (error) {
    const never = () => false;
    return { matches: never, touches: never, problem: messageOf(error) };
  }
}

/** Throws what is wrong with the name that a pattern becomes when its wildcards are replaced. */
function refuseBadName(text: string): void {
  const problem = nameProblem(text);
  if (problem) throw new Error(problem);
}

function refuseBadDomain(pattern: string): void {
  const labels = pattern.split('.');
  if (/[A-Z]/.test(pattern)) throw new Error(`it has upper-case letters; write ${quoteName(pattern.toLowerCase())}`);
  if (labels.filter((label) => label === '**').length > 1) throw new Error('it has "**" more than once');
  if (labels.every(isWild)) throw new Error('it allows every name; end it in a domain');
  if (isWild(labels.at(-1))) throw new Error('it ends in a wildcard, which stands for every top-level domain');
  const mixed = labels.find((label) => label.includes('*') && !isWild(label));
  if (mixed !== undefined)
    throw new Error(`its label ${quoteName(mixed)} has a "*", which stands for whole labels only`);
  refuseBadName(labels.map((label) => (isWild(label) ? 'x' : label)).join('.'));
}

function refuseBadUri(pattern: string): void {
  if (/\/\*\*(?!$)/.test(pattern)) throw new Error('it has "**" before its end');
  refuseBadName(pattern.replace(/(?<!\/)\/\*\*?(?=\/|$)/g, '/x'));
}

function compileBlock(pattern: string): Compiled {
  const [address = '', bits, ...more] = pattern.split('/');
  const version = isIP(address);
  const widest = version === 4 ? 32 : 128;
  const prefix = bits === undefined ? widest : Number(bits);
  if (version === 0 || more.length > 0 || !/^\d{1,3}$/.test(bits ?? '0') || prefix > widest) {
    throw new Error('it is not an IP address or CIDR block, such as 10.1.0.0/16 or fd00::/64');
  }
  refuseBadName(address);
  const family = version === 4 ? 'ipv4' : 'ipv6';
  const block = new BlockList();
  block.addSubnet(address, prefix, family);
  const matches = ({ kind, value }: SubjectName) =>
    kind === 'ip' && value.includes(':') === (version === 6) && block.check(value, family);
  return { matches, touches: matches };
}

/** With one `**` at most, matching takes time in proportion to the name's length; most names end otherwise. */
function compileExpression(pattern: string): Compiled {
  const kind = isUri(pattern) ? 'uri' : 'dns';
  // Less the first label, which a wildcard name may have instead.
  const end = kind === 'uri' ? '' : pattern.slice(Math.max(pattern.indexOf('.'), pattern.lastIndexOf('*') + 1, 0));
  const tested = (expression: RegExp) => (name: SubjectName) =>
    name.kind === kind && name.value.endsWith(end) && expression.test(name.value);
  return {
    matches: tested(new RegExp(`^${patternExpression(pattern)}$`)),
    touches: tested(new RegExp(`^${patternExpression(pattern, true)}$`)),
  };
}

/**
 * Which names the pods of a namespace may have. The one answer that admission, certificate endpoint and signer all give;
 * `constructs/cel.ts` says the same in CEL, and a test compares the two.
 *
 * Always allowed are the namespace's own names: `**.ns.svc`, `**.ns.svc.<domain>`, `**.ns.pod.<domain>` (`**` stands for
 * one or more labels) and `<service>.ns`. More is allowed by patterns (`AutocertNamespace`, `allowedNames`):
 * - DNS: `*` stands for exactly one label, `**` for one or more (at most once). A wildcard *name* is allowed when the
 *   pattern covers every name that it stands for, so its `*` only ever matches a `*` or `**`.
 * - IP addresses and CIDR blocks, v4 and v6. No IP address is allowed without one: a pod's address goes to another pod later.
 * - URIs: scheme and host literally; in the path `*` stands for one segment, `**` at the end for one or more.
 * @module
 */
import { BlockList, isIP } from 'node:net';
import { messageOf } from '../lib/errors.ts';
import { nameProblem, quoteName, type SubjectName } from './names.ts';

/** Where a name is asked for. */
export interface NameScope {
  readonly namespace: string;
  /** The cluster's DNS domain, such as `cluster.local`. */
  readonly clusterDomain: string;
  /** Patterns beyond the namespace's own names. */
  readonly allowedNames: readonly string[];
}

/** Longest list of patterns that a message repeats. */
const SHOWN_PATTERNS = 8;

/** Why a name is refused: which, why, and what would allow it. `undefined`: it is allowed. */
export function nameRefusal(name: SubjectName, scope: NameScope): string | undefined {
  if (name.kind === 'dns' && isOwnName(name.value, scope)) return undefined;
  for (const pattern of scope.allowedNames) {
    if (compiled(pattern).matches(name)) return undefined;
  }
  return `${quoteName(name.value)} is not a name that pods of namespace ${quoteName(scope.namespace)} may have: ${whatIsAllowed(name, scope)}`;
}

/** What is wrong with a pattern of `allowedNames`, beginning with "it" or "its"; `undefined`: nothing. */
export function patternProblem(pattern: string): string | undefined {
  return compiled(pattern).problem;
}

function isOwnName(name: string, { namespace, clusterDomain }: NameScope): boolean {
  for (const end of [`.${namespace}.svc`, `.${namespace}.svc.${clusterDomain}`, `.${namespace}.pod.${clusterDomain}`]) {
    if (name.length > end.length && name.endsWith(end)) return true;
  }
  const [service = '', rest, ...more] = name.split('.');
  return service !== '' && rest === namespace && more.length === 0;
}

function whatIsAllowed(name: SubjectName, { namespace, clusterDomain, allowedNames }: NameScope): string {
  const own = `*.${namespace}.svc, *.${namespace}.svc.${clusterDomain}, *.${namespace}.pod.${clusterDomain}, <service>.${namespace}`;
  const shown = allowedNames.slice(0, SHOWN_PATTERNS).join(', ');
  const hidden = allowedNames.length > SHOWN_PATTERNS ? ` and ${allowedNames.length - SHOWN_PATTERNS} more` : '';
  const kind = { dns: '', ip: ' (no IP address by default)', uri: ' (no URI by default)' }[name.kind];
  return `allowed are ${own}${shown ? `, ${shown}${hidden}` : ''}${kind}; whoever runs the cluster allows more by allowedNames of this namespace's AutocertNamespace`;
}

type Matcher = (name: SubjectName) => boolean;

/** A pattern with a problem matches nothing; configuration with one does not pass validation in the first place. */
interface Compiled {
  readonly matches: Matcher;
  readonly problem?: string;
}

/** Compiled patterns. They come from configuration only, which changes now and then. */
const cache = new Map<string, Compiled>();
const MAX_CACHED = 10_000;

function compiled(pattern: string): Compiled {
  let entry = cache.get(pattern);
  if (!entry) {
    entry = compile(pattern);
    if (cache.size >= MAX_CACHED) cache.clear();
    cache.set(pattern, entry);
  }
  return entry;
}

function compile(pattern: string): Compiled {
  try {
    if (pattern.includes('://') || pattern.startsWith('urn:')) return { matches: compileUri(pattern) };
    if (isIP(pattern) || pattern.includes('/')) return { matches: compileBlock(pattern) };
    return { matches: compileDns(pattern) };
  } catch (error) {
    return { matches: () => false, problem: messageOf(error) };
  }
}

/** Throws what is wrong with the name that a pattern becomes when its wildcards are replaced. */
function refuseBadName(text: string): void {
  const problem = nameProblem(text);
  if (problem) throw new Error(problem);
}

function compileBlock(pattern: string): Matcher {
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
  return ({ kind, value }) => kind === 'ip' && value.includes(':') === (version === 6) && block.check(value, family);
}

function compileDns(pattern: string): Matcher {
  const labels = pattern.split('.');
  const isWild = (label: string) => label === '*' || label === '**';
  if (/[A-Z]/.test(pattern)) throw new Error(`it has upper-case letters; write ${quoteName(pattern.toLowerCase())}`);
  if (labels.filter((label) => label === '**').length > 1) throw new Error('it has "**" more than once');
  if (labels.every(isWild)) throw new Error('it allows every name; end it in a domain');
  const mixed = labels.find((label) => label.includes('*') && !isWild(label));
  if (mixed !== undefined)
    throw new Error(`its label ${quoteName(mixed)} has a "*", which stands for whole labels only`);
  refuseBadName(labels.map((label) => (isWild(label) ? 'x' : label)).join('.'));
  return regularMatcher('dns', labels, '\\.', '[^.]+');
}

function compileUri(pattern: string): Matcher {
  const stars = /(?<!\/)\/\*\*?(?=\/|$)/g;
  if (/\/\*\*(?!$)/.test(pattern)) throw new Error('it has "**" before its end');
  refuseBadName(pattern.replace(stars, '/x'));
  const start = pattern.indexOf('://') + 3;
  const slash = pattern.indexOf('/', start);
  if (pattern.startsWith('urn:') || slash < 0) return (name) => name.kind === 'uri' && name.value === pattern;
  return regularMatcher('uri', [pattern.slice(0, slash), ...pattern.slice(slash + 1).split('/')], '/', '[^/]+');
}

/** With one `**` at most, matching takes time in proportion to the name's length. */
function regularMatcher(kind: SubjectName['kind'], parts: readonly string[], separator: string, one: string): Matcher {
  const source = parts.map((part) => {
    if (part === '**') return `${one}(?:${separator}${one})*`;
    return part === '*' ? one : part.replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&');
  });
  const expression = new RegExp(`^${source.join(separator)}$`);
  return (name) => name.kind === kind && expression.test(name.value);
}

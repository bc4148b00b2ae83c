/**
 * Names that a certificate can carry: host names, IP addresses and URIs, in the one spelling that everything after
 * this file compares. Whatever has two spellings (case, trailing dot, `010.0.0.1`, percent-encoding) is refused rather
 * than mended, so that no two programs can read one name differently.
 * @module
 */
import { isIPv4, isIPv6, SocketAddress } from 'node:net';
import { AutocertError } from '../lib/errors.ts';

/** A name whose syntax has been checked. `value` is in canonical form. */
export interface SubjectName {
  readonly kind: 'dns' | 'ip' | 'uri';
  readonly value: string;
}

/** Longest host name (RFC 1035, §2.3.4) and label of one. */
export const MAX_DNS = 253;
const MAX_LABEL = 63;
/** Longest URI, as the SPIFFE standard has it. */
export const MAX_URI = 2048;

const LABEL = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/;
/** A host whose last label is a number is an IPv4 address to some programs (`127.1`, `0x7f.1`), so it is no host name. */
const NUMERIC_LABEL = /^(?:\d+|0x[0-9a-f]*)$/;
const URI = /^([a-z][a-z0-9+.-]*):\/\/([^/]*)(\/.*)?$/;
const URN = /^urn:[a-z0-9][a-z0-9-]{0,31}:[A-Za-z0-9()+,.:=@;$_!'-]+$/;
/** Characters of a path segment: those of RFC 3986, less percent-encoding and `*`, which patterns have a meaning for. */
const SEGMENT = /^[A-Za-z0-9._~!$&'()+,;=:@-]+$/;

/** A name as messages show it: escaped, and shortened when it is very long. */
export function quoteName(text: string): string {
  const quoted = JSON.stringify(text.length > 300 ? `${text.slice(0, 300)}…` : text);
  // JSON leaves what is not ASCII as it is; a homoglyph has to be seen.
  return quoted.replace(/[^\x20-\x7e…]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/**
 * Checks a name's syntax and tells its kind.
 * @throws AutocertError `INVALID_INPUT`, saying what is wrong with it and what to write instead.
 */
export function parseName(text: string): SubjectName {
  const problem = nameProblem(text);
  if (problem) {
    throw new AutocertError('INVALID_INPUT', `${quoteName(text)} is not a host name, IP address or URI: ${problem}`);
  }
  const kind = kindOf(text);
  return { kind, value: kind === 'ip' && !isIPv4(text) ? canonicalIPv6(text) : text };
}

/** What is wrong with a name, beginning with "it" or "its"; `undefined`: nothing. */
export function nameProblem(text: string): string | undefined {
  const problem = characterProblem(text);
  if (problem || isIPv4(text)) return problem;
  return { uri: uriProblem, ip: ipv6Problem, dns: (host: string) => hostProblem(host, true) }[kindOf(text)](text);
}

/** Whether it is one label of a host name, such as `shop`. */
export function isDnsLabel(text: string): boolean {
  return text.length <= MAX_LABEL && LABEL.test(text);
}

/** Whether it is a URI, or a pattern of URIs, if it is anything. */
export function isUri(text: string): boolean {
  return text.includes('://') || text.startsWith('urn:');
}

/** The host of a URI; `undefined`: it has none. */
export function hostOfUri(uri: string): string | undefined {
  return /^[^:]+:\/\/([^/:]*)/.exec(uri)?.[1];
}

function kindOf(text: string): SubjectName['kind'] {
  if (isUri(text)) return 'uri';
  return isIPv4(text) || text.includes(':') ? 'ip' : 'dns';
}

function characterProblem(text: string): string | undefined {
  if (text === '') return 'it is empty';
  if (text.length > MAX_URI) return `it has ${text.length} characters, more than ${MAX_URI}`;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  if (/[\x00-\x20\x7f]/.test(text)) return 'it has a space or control character';
  if (/[^\x21-\x7e]/.test(text)) {
    return 'it has a character that is not ASCII; write an international name as its A-label (xn--…)';
  }
  return undefined;
}

/** What is wrong with a host name; `wildcard`: its leftmost label may be `*`. */
export function hostProblem(text: string, wildcard: boolean): string | undefined {
  if (text.length > MAX_DNS) return `it has ${text.length} characters, more than ${MAX_DNS}`;
  if (text.endsWith('.')) return 'it ends in a dot; leave the dot out';
  if (/[A-Z]/.test(text)) return `it has upper-case letters; write ${quoteName(text.toLowerCase())}`;
  if (text.includes('@')) return 'e-mail addresses are not supported';
  const labels = text.split('.');
  const hosts = wildcard && labels[0] === '*' ? labels.slice(1) : labels;
  if (hosts.length === 0) return '"*" alone stands for everything; write *.<domain>';
  for (const label of hosts) {
    if (label === '') return 'it has an empty label (two dots, or one at the start)';
    if (label.includes('*')) return '"*" may only be the whole leftmost label';
    if (label.length > MAX_LABEL) return `its label ${quoteName(label)} has more than ${MAX_LABEL} characters`;
    if (label.includes('_')) return `its label ${quoteName(label)} has an underscore, which host names never have`;
    if (!LABEL.test(label)) {
      return `its label ${quoteName(label)} is not made of a-z, 0-9 and inner hyphens`;
    }
  }
  if (NUMERIC_LABEL.test(labels.at(-1) ?? '')) {
    return 'its last label is a number; write an IPv4 address as four decimal numbers without leading zeros';
  }
  return undefined;
}

function ipv6Problem(text: string): string | undefined {
  if (text.includes('%')) return 'it has a zone id, which means something on one machine only';
  if (text.startsWith('[')) return 'leave the brackets (and a port) out';
  if (!isIPv6(text)) {
    return 'it has a colon but is no IPv6 address; a name has no port, and a URI is scheme://host/path';
  }
  if (canonicalIPv6(text).startsWith('::ffff:')) {
    return 'it is an IPv4 address in IPv6 form; write the IPv4 address itself';
  }
  return undefined;
}

function canonicalIPv6(text: string): string {
  return new SocketAddress({ address: text, family: 'ipv6' }).address;
}

function uriProblem(text: string): string | undefined {
  if (URN.test(text)) return undefined;
  const [, scheme, authority = '', path = ''] = URI.exec(text) ?? [];
  if (scheme === undefined) return 'a URI is scheme://host/path, its scheme in lower case';
  if (authority.includes('@')) return 'a URI with a user or password is not a name';
  const host = authority.replace(/:\d{1,5}$/, '');
  const fault = isIPv4(host) ? undefined : hostProblem(host, false);
  if (fault) return `its host ${quoteName(host)} is not a host name: ${fault}`;
  for (const segment of path.split('/').slice(1)) {
    if (segment === '') return 'its path has an empty segment (two slashes, or one at the end)';
    if (segment === '.' || segment === '..') return `its path has the segment "${segment}"`;
    if (!SEGMENT.test(segment)) {
      return `its path segment ${quoteName(segment)} has a character that paths of names may not have (percent-encoding, query and fragment included)`;
    }
  }
  return undefined;
}

/**
 * How a registry asks who one is: `WWW-Authenticate` (RFC 9110, §11.6.1), and the token server that it names.
 * @module
 */
import { AutocertError } from '../../runtime/lib/errors.ts';

/** One way to prove it. */
export interface Challenge {
  /** In small letters. */
  readonly scheme: string;
  readonly parameters: ReadonlyMap<string, string>;
}

const LONGEST = 4096;
const PIECE = /([A-Za-z][A-Za-z0-9_-]*)(?:\s*=\s*(?:"([^"]*)"|([^\s",]+)))?/g;

/** The challenges of a header; what is too long is none. */
export function challenges(header: string): Challenge[] {
  const found: { scheme: string; parameters: Map<string, string> }[] = [];
  if (header.length > LONGEST) return found;
  for (const [, word = '', quoted, bare] of header.matchAll(PIECE)) {
    const value = quoted ?? bare;
    if (value === undefined) found.push({ scheme: word.toLowerCase(), parameters: new Map() });
    else found.at(-1)?.parameters.set(word.toLowerCase(), value);
  }
  return found;
}

/**
 * Where to get a token.
 * @param scope where the registry names none
 * @param plain whether a password may go over a connection without TLS
 * @throws AutocertError `UNTRUSTED` when it may not, `INVALID_INPUT` for no URL
 */
export function tokenUrl({ parameters }: Challenge, scope: string, plain: boolean): URL {
  const realm = parameters.get('realm') ?? '';
  const url = URL.parse(realm);
  if (url === null)
    throw new AutocertError('INVALID_INPUT', `the registry names no token server: ${JSON.stringify(realm)}`);
  if (url.protocol !== 'https:' && !(plain && url.protocol === 'http:')) {
    throw new AutocertError(
      'UNTRUSTED',
      `the registry's token server ${url.origin} has no TLS: no password is sent there`,
    );
  }
  const service = parameters.get('service');
  if (service !== undefined) url.searchParams.set('service', service);
  // Ours, where the registry asks for reading alone first: one token does for all that is pushed.
  url.searchParams.set('scope', scope);
  return url;
}

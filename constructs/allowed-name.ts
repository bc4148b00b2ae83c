/**
 * The patterns of `allowedNames`, checked at synth by the same rules as the webhook's own when it reads them.
 * @module
 */
import { isIP } from 'node:net';
import { DNS_LABEL, refuse } from './validation.ts';

const DNS_WANTED =
  'it takes DNS names in lower case with "*" for one label and "**", once, for one or more ("*.shop.example.com"), ' +
  'IP addresses, CIDR blocks ("10.1.0.0/16") or URIs ("spiffe://example.com/shop/*")';
const CIDR_WANTED = 'a block of addresses is written in CIDR notation, such as "10.1.0.0/16"';
const URI_WANTED =
  'a URI is written such as "spiffe://example.com/shop/*" or "urn:shop:cart": no query, fragment, "@" or empty segment, ' +
  'and "*" (one segment) and "**" (the rest) only as whole segments of the path';

/** Checks one pattern; anything else than what the webhook takes is refused. */
export function checkAllowedName(prop: string, pattern: string): string {
  if (pattern.includes('://') || pattern.startsWith('urn:')) {
    return isUriPattern(pattern) ? pattern : refuse(prop, pattern, URI_WANTED);
  }
  if (pattern.includes('/')) return isCidr(pattern) ? pattern : refuse(prop, pattern, CIDR_WANTED);
  return isAddress(pattern) || isDnsPattern(pattern) ? pattern : refuse(prop, pattern, DNS_WANTED);
}

function isAddress(text: string): boolean {
  // A zone id means something on one machine only; an IPv4 address in IPv6 form has two spellings.
  return isIP(text) !== 0 && !text.includes('%') && !/^::ffff:/i.test(text);
}

function isCidr(text: string): boolean {
  const [address = '', bits = '', ...rest] = text.split('/');
  const widest = isIP(address) === 4 ? 32 : 128;
  return rest.length === 0 && isAddress(address) && /^\d{1,3}$/.test(bits) && Number(bits) <= widest;
}

function isDnsPattern(text: string): boolean {
  const labels = text.split('.');
  const stars = labels.filter((label) => label === '*' || label === '**');
  return (
    text.length <= 253 &&
    stars.length < labels.length &&
    stars.filter((label) => label === '**').length <= 1 &&
    labels.every((label) => label === '*' || label === '**' || DNS_LABEL.test(label)) &&
    !endsInNumber(labels)
  );
}

/** Such a host is an address that somebody mistyped, or that some programs read as one (`127.1`, `0x7f.1`). */
function endsInNumber(labels: readonly string[]): boolean {
  return /^(\d+|0x[\da-f]*)$/.test(labels.at(-1) ?? '');
}

function isHost(text: string): boolean {
  const labels = text.split('.');
  return isIP(text) === 4 || (labels.every((label) => DNS_LABEL.test(label)) && !endsInNumber(labels));
}

function isUriPattern(text: string): boolean {
  if (text.length > 2048) return false;
  if (text.startsWith('urn:')) return /^urn:[a-z0-9][a-z0-9-]{0,31}:[A-Za-z0-9()+,.:=@;$_!'-]+$/.test(text);
  const [, host = '', path = ''] = /^[a-z][a-z0-9+.-]*:\/\/([^/]+)(\/.*)?$/.exec(text) ?? [];
  const segments = path === '' ? [] : path.slice(1).split('/');
  return (
    isHost(host) &&
    segments.every(
      (segment, index) =>
        segment === '*' ||
        (segment === '**' && index === segments.length - 1) ||
        (/^[A-Za-z0-9._~!$&'()+,;=:@-]+$/.test(segment) && segment !== '.' && segment !== '..'),
    )
  );
}

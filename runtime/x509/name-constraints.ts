/**
 * The extension that says of a CA which names its certificates may have (RFC 5280, §4.2.1.10): whoever verifies a chain
 * refuses all others, also where the CA's key was stolen.
 * @module
 */
import { isIP } from 'node:net';
import { AutocertError } from '../lib/errors.ts';
import { addressDigits } from '../policy/address-digits.ts';
import { hostProblem, quoteName } from '../policy/names.ts';
import { encode, sequence } from './der.ts';

/** Its OID. */
export const NAME_CONSTRAINTS_OID = '2.5.29.30';

/** Context tags: permittedSubtrees, and of GeneralName. */
const Tag = { permitted: 0xa0, email: 0x81, dns: 0x82, uri: 0x86, ip: 0x87 } as const;

/** A domain that nobody has (RFC 6761): what permits nothing else permits its email addresses. */
const NOWHERE = 'invalid';
/** The address that permits no other where none is given. */
const NO_ADDRESS = '127.0.0.1';
/** More of them would be in the way of every verification: Go stops at 250,000 comparisons, OpenSSL at a million. */
const MAX_PERMITTED = 200;

/**
 * The extension's value, DER, for DNS domains (with all that is below them, and URIs with such hosts), IP addresses and
 * CIDR blocks. Every kind of name is constrained: what is not given is not permitted.
 * @throws AutocertError `INVALID_INPUT` that names what is none of these
 */
export function encodeNameConstraints(permitted: readonly string[]): Buffer {
  if (permitted.length > MAX_PERMITTED) {
    throw new AutocertError('INVALID_INPUT', `${permitted.length} permitted names are more than ${MAX_PERMITTED}`);
  }
  for (const name of permitted) refuseBadName(name);
  const isAddress = (name: string) => isIP(name.split('/')[0] ?? '') !== 0;
  const domains = permitted.filter((name) => !isAddress(name));
  const addresses = permitted.filter(isAddress);
  const texts = (tag: number, values: readonly string[]) => values.map((value) => encode(tag, Buffer.from(value)));
  const bases = [
    ...texts(Tag.dns, domains.length > 0 ? domains : [NOWHERE]),
    ...texts(Tag.email, [NOWHERE]),
    // A host by itself, then all hosts below it.
    ...texts(
      Tag.uri,
      (domains.length > 0 ? domains : [NOWHERE]).flatMap((domain) => [domain, `.${domain}`]),
    ),
    ...(addresses.length > 0 ? addresses : [NO_ADDRESS]).map((block) => encode(Tag.ip, addressAndMask(block))),
  ];
  return sequence(encode(Tag.permitted, ...bases.map((base) => sequence(base))));
}

function addressAndMask(block: string): Buffer {
  const [address = '', bits] = block.split('/');
  const digits = addressDigits(address);
  const prefix = bits === undefined ? digits.length * 4 : Number(bits);
  const ones = `${'1'.repeat(prefix)}${'0'.repeat(digits.length * 4 - prefix)}`;
  const mask = Buffer.from((ones.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
  const masked = Buffer.from(digits, 'hex').map((byte, index) => byte & (mask[index] ?? 0));
  return Buffer.concat([masked, mask]);
}

function refuseBadName(name: string): void {
  const [address = '', bits, ...more] = name.split('/');
  const width = { 0: -1, 4: 32, 6: 128 }[isIP(address)] ?? -1;
  const isBlock = more.length === 0 && /^\d{1,3}$/.test(bits ?? '0') && Number(bits ?? 0) <= width;
  if (isBlock || (isIP(name) === 0 && name !== '' && hostProblem(name, false) === undefined)) return;
  const wanted = 'it takes DNS domains such as "example.com", IP addresses and CIDR blocks such as "10.1.0.0/16"';
  throw new AutocertError('INVALID_INPUT', `permitted name ${quoteName(name)}: ${wanted}`);
}

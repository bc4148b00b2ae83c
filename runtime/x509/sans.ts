/**
 * Subject alternative names as step-ca sorts them, in a form that can be compared.
 * @module
 */
import { isIP, SocketAddress } from 'node:net';
import { AutocertError } from '../lib/errors.ts';

/** Subject alternative names by kind, in canonical form. */
export interface SanList {
  readonly dns: readonly string[];
  readonly email: readonly string[];
  readonly ip: readonly string[];
  readonly url: readonly string[];
}

/**
 * Sorts names by kind as step-ca does: an IP address, a URI with a scheme, an email address, else a DNS name.
 * @throws AutocertError `INVALID_INPUT` for what no certificate can hold.
 */
export function splitSans(sans: readonly string[]): SanList {
  const list = { dns: [] as string[], email: [] as string[], ip: [] as string[], url: [] as string[] };
  for (const san of sans) {
    if (!/^[\x21-\x7e]+$/.test(san)) {
      throw new AutocertError(
        'INVALID_INPUT',
        `name ${JSON.stringify(san.slice(0, 256))} has to be printable ASCII without spaces; write international domain names as A-labels (xn--…)`,
      );
    }
    list[kindOf(san)].push(isIP(san) ? canonicalIp(san) : san);
  }
  return list;
}

function kindOf(san: string): keyof SanList {
  if (isIP(san)) return 'ip';
  if (/^[a-z][a-z0-9+.-]*:/i.test(san)) return 'url';
  return san.includes('@') ? 'email' : 'dns';
}

/** One text for each address, so that texts can be compared: `::1`, never `0:0::1`. */
function canonicalIp(address: string): string {
  return isIP(address) === 4 ? address : new SocketAddress({ address, family: 'ipv6' }).address;
}

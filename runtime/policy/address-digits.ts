/**
 * IP addresses as hexadecimal digits, 8 (IPv4) or 32 (IPv6) of them: so a regular expression can tell whether one is in a
 * CIDR block, where nothing else is at hand, as in step-ca's templates.
 * @module
 */
import { isIPv4 } from 'node:net';

/** The digits of an address that is one. */
export function addressDigits(address: string): string {
  if (isIPv4(address)) return joined(address.split('.'), 10, 2);
  // What URL makes of it has no zone, and no IPv4 address at its end.
  const [left = '', right] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::');
  const [before, after] = [left, right ?? ''].map((side) => joined(side.split(':').filter(Boolean), 16, 4));
  return right === undefined ? String(before) : `${before}${'0'.repeat(32 - `${before}${after}`.length)}${after}`;
}

/** A regular expression that matches the digits of the addresses in a CIDR block, or of the one address. */
export function blockExpression(block: string): string {
  const [address = '', bits] = block.split('/');
  const digits = addressDigits(address);
  const prefix = bits === undefined ? digits.length * 4 : Number(bits);
  const [whole, rest] = [Math.floor(prefix / 4), prefix % 4];
  const free = digits.length - whole - (rest > 0 ? 1 : 0);
  const lowest = Number.parseInt(digits[whole] ?? '0', 16) & (0xf0 >> rest);
  const range = Array.from({ length: 1 << (4 - rest) }, (_, index) => (lowest + index).toString(16)).join('');
  return `^${digits.slice(0, whole)}${rest > 0 ? `[${range}]` : ''}[0-9a-f]{${free}}$`;
}

const joined = (parts: readonly string[], base: number, width: number) =>
  parts.map((part) => Number.parseInt(part, base).toString(16).padStart(width, '0')).join('');

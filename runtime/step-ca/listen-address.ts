/**
 * Addresses to listen on, as step-ca's configuration has them.
 * @module
 */
import { AutocertError } from '../lib/errors.ts';

/** Host and port; the host of `:4443` is `::`, every address of the machine. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/**
 * Reads `host:port` or `:port`; an IPv6 address stands in brackets.
 * @throws AutocertError `INVALID_INPUT`
 */
export function parseListenAddress(text: string): ListenAddress {
  const [, inBrackets, plain, port] = /^(?:\[([0-9a-f:.]+)\]|([^\s:[\]/]*)):(\d{1,5})$/i.exec(text) ?? [];
  if (port !== undefined && Number(port) >= 1 && Number(port) <= 65_535) {
    return { host: inBrackets || plain || '::', port: Number(port) };
  }
  throw new AutocertError(
    'INVALID_INPUT',
    `${JSON.stringify(text.slice(0, 100))} is no address to listen on: write host:port or :port, such as 127.0.0.1:4443`,
  );
}

/**
 * How curl ends when the server refuses the client's certificate, or that it has none.
 * @module
 */
import assert from 'node:assert/strict';
import type { Result } from '../../scripts/cluster/shell.ts';

/**
 * A server in Go answers by an alert (35 during the handshake, 56 after it, as TLS 1.3 has it). One in Node closes the
 * connection after the handshake: 56 or, if all was sent, 52; 55 if not. Source: curl(1), "Exit codes".
 */
export const REFUSAL_CODES = [35, 52, 55, 56] as const;

/** The server refused this client; any other end of curl is told. */
export function assertRefused({ code, stdout, stderr }: Result, client: string): void {
  const refused = (REFUSAL_CODES as readonly number[]).includes(code);
  assert(
    refused,
    `${client} is refused: curl ends with ${REFUSAL_CODES.join(', ')}; it ended with ${code}: ${stdout}${stderr}`,
  );
}

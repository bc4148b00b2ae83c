/**
 * The dashboard's server: on loopback alone, behind a token, with bounds for whoever else is on this machine.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { boundConnections } from '../../lib/connections.ts';
import { AutocertError } from '../../lib/errors.ts';
import { answerTo } from './answer.ts';
import type { PageFiles } from './page-files.ts';

/** A server that listens. */
export interface DashboardServer {
  /** Base URL with the token, and `/` at its end. Whoever knows it sees the page. */
  readonly url: string;
  close(): Promise<void>;
}

const HOST = '127.0.0.1';
/** A browser opens six at a time. All peers have the same address. */
const CONNECTIONS = { total: 64, byPeer: 64 } as const;
/** Until a connection has brought its request, and while nothing moves on it, milliseconds. */
const TIMEOUT_MS = 10_000;
const BOUNDS = {
  headersTimeout: TIMEOUT_MS,
  requestTimeout: TIMEOUT_MS,
  connectionsCheckingInterval: 1_000,
  maxHeaderSize: 16_384,
};

/** Bytes of the token, which nobody guesses. */
const TOKEN_BYTES = 24;

/**
 * Listens on `port` of 127.0.0.1 (0: any), with a new token.
 * @param data what the page shows, JSON
 * @throws AutocertError `INVALID_INPUT` when the port is taken, or not allowed
 */
export async function serveDashboard(port: number, files: PageFiles, data: () => string): Promise<DashboardServer> {
  const token = randomBytes(TOKEN_BYTES).toString('base64url');
  const server = createServer(BOUNDS, ({ method, url, headers }, response) => {
    const { status, headers: answered, body } = answerTo({ method, url, host: headers.host }, { token, files, data });
    response.writeHead(status, answered).end(body);
  });
  server.setTimeout(TIMEOUT_MS);
  server.maxHeadersCount = 100;
  boundConnections(server, CONNECTIONS);
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const why = cause.code === 'EADDRINUSE' ? 'it is taken' : `it cannot be listened on (${cause.code})`;
      const message = `--port ${port}: ${why}; name another, or 0 for any that is free`;
      reject(new AutocertError('INVALID_INPUT', message, { cause }));
    });
    server.listen(port, HOST, resolve);
  });
  return {
    url: `http://${HOST}:${(server.address() as AddressInfo).port}/${token}/`,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

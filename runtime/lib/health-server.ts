/**
 * `/healthz`, `/readyz` and `/metrics` over plain HTTP: for kubelet and Prometheus, nothing secret. Whoever reaches the port
 * may ask, so that many requests cost little more than one, and kubelet gets through.
 * @module
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { boundConnections } from './connections.ts';

/** Kubelet and Prometheus need a few; `kubectl port-forward` comes from the pod's own address. */
const CONNECTIONS = { total: 64, byPeer: 32 } as const;
/** Until a connection has brought its request, and while nothing moves on it, milliseconds. */
const TIMEOUT_MS = 5_000;
/** For so long the same text of the metrics is told, milliseconds. */
const FRESH_MS = 1_000;

/** What the server tells. */
export interface HealthPorts {
  /** `undefined`: ready; else why not. */
  readonly notReady: () => string | undefined;
  readonly metrics: { render(): Promise<string>; readonly contentType: string };
  /** Milliseconds. @default - of this process */
  readonly monotonic?: () => number;
}

/** A server that listens. */
export interface HealthServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Listens on `port` (0: any) of `host`, or of all addresses. */
export async function serveHealth(port: number, ports: HealthPorts, host?: string): Promise<HealthServer> {
  const timeouts = { headersTimeout: TIMEOUT_MS, requestTimeout: TIMEOUT_MS, connectionsCheckingInterval: 1_000 };
  const render = shared(() => ports.metrics.render(), ports.monotonic ?? (() => performance.now()));
  const server = createServer(timeouts, (request, response) => {
    void respond(request, response, ports, render);
  });
  server.setTimeout(TIMEOUT_MS);
  server.maxHeadersCount = 100;
  boundConnections(server, CONNECTIONS);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** The same text for all who ask while it is being made, and for a while after that. */
function shared(render: () => Promise<string>, monotonic: () => number): () => Promise<string> {
  let text: Promise<string> | undefined;
  let staleAt = Number.POSITIVE_INFINITY;
  return async () => {
    if (text === undefined || monotonic() >= staleAt) {
      staleAt = Number.POSITIVE_INFINITY;
      text = render().finally(() => {
        staleAt = monotonic() + FRESH_MS;
      });
    }
    return text;
  };
}

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  ports: HealthPorts,
  render: () => Promise<string>,
): Promise<void> {
  const send = (status: number, body: string, type = 'text/plain; charset=utf-8') =>
    response.writeHead(status, { 'content-type': type, connection: 'close' }).end(`${body}\n`);
  const path = request.url?.split('?')[0];
  try {
    if (request.method !== 'GET') return void send(405, 'GET only');
    if (path === '/healthz') return void send(200, 'ok');
    if (path === '/metrics') return void send(200, await render(), ports.metrics.contentType);
    if (path !== '/readyz') return void send(404, 'there are /healthz, /readyz and /metrics');
    const reason = ports.notReady();
    return void send(reason === undefined ? 200 : 503, reason ?? 'ok');
  } catch {
    send(500, 'metrics cannot be rendered');
  }
}

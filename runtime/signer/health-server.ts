/**
 * `/healthz`, `/readyz` and `/metrics` over plain HTTP: for kubelet and Prometheus, nothing secret.
 * @module
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What the server tells. */
export interface HealthPorts {
  /** `undefined`: ready; else why not. */
  readonly notReady: () => string | undefined;
  readonly metrics: { render(): Promise<string>; readonly contentType: string };
}

/** A server that listens. */
export interface HealthServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Listens on `port`; 0: any. */
export async function serveHealth(port: number, ports: HealthPorts): Promise<HealthServer> {
  const server = createServer({ headersTimeout: 5000, requestTimeout: 5000 }, (request, response) => {
    void respond(request, response, ports);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, resolve);
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

async function respond(request: IncomingMessage, response: ServerResponse, ports: HealthPorts): Promise<void> {
  const send = (status: number, body: string, type = 'text/plain; charset=utf-8') =>
    response.writeHead(status, { 'content-type': type }).end(`${body}\n`);
  const path = request.url?.split('?')[0];
  try {
    if (request.method !== 'GET') return void send(405, 'GET only');
    if (path === '/healthz') return void send(200, 'ok');
    if (path === '/metrics') return void send(200, await ports.metrics.render(), ports.metrics.contentType);
    if (path !== '/readyz') return void send(404, 'there are /healthz, /readyz and /metrics');
    const reason = ports.notReady();
    return void send(reason === undefined ? 200 : 503, reason ?? 'ok');
  } catch {
    send(500, 'metrics cannot be rendered');
  }
}

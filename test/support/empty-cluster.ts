/**
 * A cluster in which there is nothing, for programs that only look: an API server on loopback that lists no pods, and knows
 * of no object.
 * @module
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kubeconfig } from '../../runtime/kubernetes/kubeconfig.ts';

/** One that answers. */
export interface EmptyCluster {
  /** File, with a token, for the namespace `shop`. */
  readonly kubeconfig: string;
  /** Whether it lets nobody see anything. */
  refuses: boolean;
  stop(): void;
}

/** What the kubeconfig's user proves itself by. */
export const USER_TOKEN = 'a-token-of-the-user';

/** Starts one. */
export async function emptyCluster(): Promise<EmptyCluster> {
  const server = createServer(({ url = '' }, response) => {
    response.writeHead(cluster.refuses ? 403 : url.includes('/pods') ? 200 : 404).end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const folder = mkdtempSync(join(tmpdir(), 'autocert-empty-'));
  const { port } = server.address() as AddressInfo;
  const cluster: EmptyCluster = {
    kubeconfig: join(folder, 'config'),
    refuses: false,
    stop: () => {
      server.closeAllConnections();
      server.close();
      rmSync(folder, { recursive: true });
    },
  };
  const config = kubeconfig({ server: `http://127.0.0.1:${port}` }, { token: USER_TOKEN }, 'shop');
  writeFileSync(cluster.kubeconfig, config, { mode: 0o600 });
  return cluster;
}

/**
 * hello-mtls on loopback: the server and the client of `examples/`, with the files of two pods, greeting all the while.
 * @module
 */
import { join } from 'node:path';
import type { ChildProcesses } from './child-processes.ts';

/** Milliseconds between two requests. */
const INTERVAL_MS = 20;
const NAME = 'hello-mtls.default.svc.cluster.local';

/** What has come back so far. */
export interface Traffic {
  greetings: number;
  failures: number;
  /** The last greeting, without its time. */
  last: string;
  /** What the client said in place of a greeting, the last time. */
  lastFailure?: string;
}

/** Starts both; resolves with the first greeting. The counts go on. */
export async function startTraffic(
  children: ChildProcesses,
  examples: string,
  dirs: { readonly server: string; readonly client: string },
): Promise<Traffic> {
  const script = (name: string) => join(examples, 'hello-mtls', 'node', name);
  const port = await new Promise<string>((resolve) => {
    void children.node('hello-mtls', [script('server.mjs')], {
      env: { CERTIFICATE_DIR: dirs.server, LISTEN_ADDRESS: '127.0.0.1', PORT: '0' },
      onLine: (line) => {
        const [, listening] = /^listening on (\d+)$/.exec(line) ?? [];
        if (listening) resolve(listening);
      },
    });
  });
  const traffic: Traffic = { greetings: 0, failures: 0, last: '' };
  await new Promise<void>((resolve) => {
    void children.node('hello-mtls-client', [script('client.mjs')], {
      env: {
        CERTIFICATE_DIR: dirs.client,
        HELLO_MTLS_URL: `https://${NAME}:${port}`,
        HELLO_MTLS_ADDRESS: '127.0.0.1',
        INTERVAL_MS: String(INTERVAL_MS),
      },
      onLine: (line) => {
        const [, text = ''] = /^\S+: (.*)$/.exec(line) ?? [];
        if (text.startsWith('Hello, ')) {
          traffic.greetings += 1;
          traffic.last = text;
        } else {
          traffic.failures += 1;
          traffic.lastFailure = text;
        }
        resolve();
      },
    });
  });
  return traffic;
}

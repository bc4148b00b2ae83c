/**
 * hello-mtls on loopback: the server and the client of `examples/`, with the files of two pods, greeting all the while.
 * @module
 */
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { AutocertError } from '../../lib/errors.ts';
import type { Processes } from './processes.ts';

/** Milliseconds between two requests. */
const INTERVAL = 20;
const NAME = 'hello-mtls.default.svc.cluster.local';

/** What has come back so far. */
export interface Traffic {
  greetings: number;
  failures: number;
  /** The last greeting, without its time. */
  last: string;
}

/** The folder of this project's examples: beside the program, in a checkout and in the package. */
export function examplesDir(program: string): string {
  for (let dir = dirname(realpathSync(program)); dir !== dirname(dir); dir = dirname(dir)) {
    const manifest = join(dir, 'package.json');
    if (existsSync(manifest) && JSON.parse(readFileSync(manifest, 'utf8')).name === 'cdk8s-autocert') {
      return join(dir, 'examples');
    }
  }
  throw new AutocertError('INVALID_CONFIG', `no examples/ near ${program}: run autocert start from a checkout`);
}

/** Starts both; resolves with the first greeting. The counts go on. */
export async function startTraffic(
  processes: Processes,
  examples: string,
  dirs: { readonly server: string; readonly client: string },
): Promise<Traffic> {
  const script = (name: string) => join(examples, 'hello-mtls', 'node', name);
  const port = await new Promise<string>((resolve) => {
    void processes.node('hello-mtls', [script('server.mjs')], {
      env: { CERTIFICATE_DIR: dirs.server, PORT: '0' },
      onLine: (line) => {
        const [, listening] = /^listening on (\d+)$/.exec(line) ?? [];
        if (listening) resolve(listening);
      },
    });
  });
  const traffic: Traffic = { greetings: 0, failures: 0, last: '' };
  await new Promise<void>((resolve) => {
    void processes.node('hello-mtls-client', [script('client.mjs')], {
      env: {
        CERTIFICATE_DIR: dirs.client,
        HELLO_MTLS_URL: `https://${NAME}:${port}`,
        HELLO_MTLS_ADDRESS: '127.0.0.1',
        INTERVAL_MS: String(INTERVAL),
      },
      onLine: (line) => {
        const [, text = ''] = /^\S+: (.*)$/.exec(line) ?? [];
        if (text.startsWith('Hello, ')) traffic.greetings += 1;
        else traffic.failures += 1;
        traffic.last = text;
        resolve();
      },
    });
  });
  return traffic;
}

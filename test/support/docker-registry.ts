/**
 * Debian's `docker-registry` on loopback, with its storage in a folder of its own.
 * @module
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { waitFor } from '../../scripts/cluster/shell.ts';
import { program } from './programs.ts';
import { freePort } from './running-ca.ts';

/** A registry that runs. */
export interface DockerRegistry extends AsyncDisposable {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  readonly url: string;
}

/**
 * Starts one; ready when it answers.
 * @param auth the part `auth` of its configuration. Absent: everybody may push
 */
export async function startDockerRegistry(dir: string, auth?: object): Promise<DockerRegistry> {
  const host = `127.0.0.1:${await freePort()}`;
  const root = join(dir, `storage-${host.split(':')[1]}`);
  mkdirSync(root);
  const file = `${root}.yaml`;
  // JSON is YAML.
  const config = {
    version: 0.1,
    log: { accesslog: { disabled: true }, level: 'error' },
    storage: { filesystem: { rootdirectory: root } },
    http: { addr: host, secret: 'of a test' },
    ...(auth && { auth }),
  };
  writeFileSync(file, JSON.stringify(config));
  const child = spawn(await program('docker-registry'), ['serve', file], { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += chunk));
  const url = `http://${host}`;
  const answered = async () => {
    if (child.exitCode !== null) throw new Error(`it did not start: ${said}`);
    return (await fetch(`${url}/v2/`)).status < 500;
  };
  await waitFor('docker-registry', answered, { everyMs: 20 });
  return {
    host,
    url,
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode !== null) return;
      const ended = once(child, 'exit');
      child.kill();
      await ended;
    },
  };
}

/**
 * Debian's `docker-registry` on loopback, of this machine or of a network of its own, with its storage in a folder of its own.
 * @module
 */
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../runtime/lib/free-ports.ts';
import { background, run, waitFor } from '../../scripts/cluster/shell.ts';
import { program } from './programs.ts';

/** Asks for an address and prints the status alone; fails where nobody answers. */
const STATUS = ['curl', '--silent', '--output', '/dev/null', '--write-out', '%{http_code}'];

/** A registry that runs. */
export interface DockerRegistry extends AsyncDisposable {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  readonly url: string;
}

/** Who may push and pull where {@link byPassword} is asked. */
export const LOGIN = { user: 'me', password: 'correct horse' } as const;

/** bcrypt of {@link LOGIN}, as htpasswd has it. */
const HTPASSWD = 'me:$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e\n';

/** What a registry is started with. */
export interface DockerRegistryOptions {
  /** The part `auth` of its configuration. @default - everybody may push */
  readonly auth?: object;
  /** @default - one that is free on this machine */
  readonly port?: number;
  /** Runs a command in the network that it listens in. @default - this machine's */
  readonly inNetwork?: (argv: readonly string[]) => readonly string[];
}

/** For {@link DockerRegistryOptions.auth}: {@link LOGIN} alone gets in. */
export function byPassword(dir: string): object {
  const path = join(dir, 'htpasswd');
  writeFileSync(path, HTPASSWD);
  return { htpasswd: { realm: 'a test', path } };
}

/** A folder for `DOCKER_CONFIG`, with what `docker login` would have written into it. */
export function dockerConfig(parent: string, registry: string, login?: string): string {
  const dir = mkdtempSync(join(parent, 'docker-'));
  const auths = login && { [registry]: { auth: Buffer.from(login).toString('base64') } };
  writeFileSync(join(dir, 'config.json'), JSON.stringify({ auths: auths ?? {} }));
  return dir;
}

/** Starts one; ready when it answers. */
export async function startDockerRegistry(dir: string, options: DockerRegistryOptions = {}): Promise<DockerRegistry> {
  const { auth, port, inNetwork = (argv) => argv } = options;
  const host = `127.0.0.1:${port ?? (await freePort())}`;
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
  const server = background(inNetwork([await program('docker-registry'), 'serve', file]));
  const url = `http://${host}`;
  const answers = async () => Number(await run(inNetwork([...STATUS, `${url}/v2/`]))) < 500;
  await waitFor('docker-registry', answers, { everyMs: 20, needs: [server] });
  return { host, url, [Symbol.asyncDispose]: () => server.stop() };
}

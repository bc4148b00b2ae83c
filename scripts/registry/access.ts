/**
 * Where a registry is, and the credentials for it that `docker login` and its like have written or put into a keychain.
 * @module
 */
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { AutocertError } from '../../runtime/lib/errors.ts';
import { Secret } from '../../runtime/lib/secret.ts';
import { readTextFile } from '../../runtime/lib/text-file.ts';
import { askHelper } from './credential-helper.ts';
import type { Reference } from './reference.ts';

/** How a registry is spoken to. */
export interface RegistryAccess {
  /** Such as `https://registry.example.com`. */
  readonly origin: string;
  /** `user:password` in Base64. Absent: there is none. */
  readonly basic?: Secret;
  /** Where credentials were looked for, and what there was, for messages. */
  readonly source: string;
}

const BASIC = /^[A-Za-z0-9+/]{1,8192}={0,2}$/;

/** Docker Hub goes by other names where it is spoken to, and in the configuration. */
const DOCKER_HUB = { name: 'docker.io', host: 'registry-1.docker.io', key: 'https://index.docker.io/v1/' } as const;

/**
 * @param plainHttp no TLS
 * @throws AutocertError `INVALID_CONFIG` for a file that cannot be read, or a helper that cannot be asked
 */
export function registryAccess({ registry }: Reference, plainHttp: boolean): RegistryAccess {
  const hub = registry === DOCKER_HUB.name;
  const origin = `${plainHttp ? 'http' : 'https'}://${hub ? DOCKER_HUB.host : registry}`;
  const file = join(process.env.DOCKER_CONFIG ?? join(homedir(), '.docker'), 'config.json');
  if (!existsSync(file)) return { origin, source: `there is no ${file}` };
  const { auths, credsStore, credHelpers } = parse(file);
  const keys = hub ? [DOCKER_HUB.key, registry] : [registry, `https://${registry}`, `http://${registry}`];
  const helper = own(credHelpers, registry) ?? credsStore;
  if (helper !== undefined) {
    const basic = askHelper(helper, keys[0] ?? registry);
    const asked = `docker-credential-${helper}, which ${file} names`;
    if (basic) return { origin, basic, source: `those of ${asked}, were sent` };
    return { origin, source: `${asked}, has no credentials for ${registry}` };
  }
  const entry = keys
    .flatMap((key) => [key, `${key}/`])
    .map((key) => own(auths, key))
    .find((each) => each !== undefined);
  const auth = own(entry, 'auth');
  const source = `${file} has no credentials for ${registry} in "auths"`;
  if (typeof auth === 'string' && auth !== '') {
    // Nobody else looks before it is put into a header, and that error would show it.
    if (!BASIC.test(auth)) throw new AutocertError('INVALID_CONFIG', `${file}: "auth" of ${registry} is not Base64`);
    return { origin, basic: new Secret(auth), source: `those of ${file} were sent` };
  }
  return { origin, source };
}

function parse(file: string): Record<string, unknown> {
  const text = readTextFile(file);
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // An error of the parser shows a piece of the text, and that may be a password.
  }
  throw new AutocertError('INVALID_CONFIG', `${file} is no JSON object: \`docker login\` writes it`);
}

function own(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? (value as Record<string, unknown>)[key]
    : undefined;
}

/**
 * Credential helpers of Docker: programs that keep passwords in the keychain of a system or a cloud.
 * {@link https://github.com/docker/docker-credential-helpers}: `get`, the registry on standard input, JSON on standard output.
 * @module
 */
import { spawnSync } from 'node:child_process';
import { AutocertError } from '../../runtime/lib/errors.ts';
import { Secret } from '../../runtime/lib/secret.ts';
import { isRecord } from '../../runtime/lib/validator.ts';

const NAME = /^[A-Za-z0-9_.-]{1,64}$/;
/** A keychain may ask somebody first. */
const TIMEOUT_MS = 60_000;
const LARGEST_ANSWER = 64 * 1024;
/** In place of a user: what follows is no password. */
const IDENTITY_TOKEN = '<token>';

/**
 * Asks a helper for the credentials of a registry.
 * @param name as the configuration has it: `desktop` is the program `docker-credential-desktop`
 * @param key what the registry goes by there
 * @returns `user:password` in Base64; `undefined`: it has none
 * @throws AutocertError `INVALID_CONFIG` where it cannot be run, or answers what nobody can use
 */
export function askHelper(name: unknown, key: string): Secret | undefined {
  if (typeof name !== 'string' || !NAME.test(name)) {
    throw new AutocertError(
      'INVALID_CONFIG',
      `credential helper: got ${JSON.stringify(name).slice(0, 80)}, which is no name of one`,
    );
  }
  const program = `docker-credential-${name}`;
  const unusable = (why: string) => new AutocertError('INVALID_CONFIG', `${program} get: ${why}`);
  const options = {
    input: key,
    env: process.env,
    timeout: TIMEOUT_MS,
    maxBuffer: LARGEST_ANSWER,
    encoding: 'utf8',
  } as const;
  const { status, stdout, error } = spawnSync(program, ['get'], options);
  // What it prints is never shown: it may be a password.
  if (error)
    throw unusable((error as NodeJS.ErrnoException).code === 'ENOENT' ? 'it is not on the PATH' : error.message);
  if (status !== 0) {
    if (/credentials not found/.test(stdout)) return undefined;
    throw unusable(`it ended with code ${status}`);
  }
  const answer = parsed(stdout);
  const { Username: user, Secret: password } = isRecord(answer) ? answer : {};
  if (typeof user !== 'string' || typeof password !== 'string')
    throw unusable('it answered without Username and Secret');
  if (user === IDENTITY_TOKEN)
    throw unusable(
      'it has an identity token, which is for a browser’s login: log in with a password or an access token',
    );
  return new Secret(Buffer.from(`${user}:${password}`).toString('base64'));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

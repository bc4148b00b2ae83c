/**
 * What the node takes from the distribution: Debian's packages by name, programs elsewhere.
 * @module
 */
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { isStatic } from '../root-files.ts';
import { run } from './shell.ts';

/**
 * A file that tells whether a package is there (a program on PATH, or an absolute path), the Debian package, and what else
 * has to hold of the file: other packages may bring one of the same name.
 */
const WANTED: readonly (readonly [file: string, debianPackage: string, isRight?: (file: string) => boolean])[] = [
  ['runc', 'runc'],
  ['/usr/lib/cni/bridge', 'containernetworking-plugins'],
  ['iptables', 'iptables'],
  ['ip', 'iproute2'],
  ['conntrack', 'conntrack'],
  ['busybox', 'busybox-static', isStatic],
  ['curl', 'curl'],
  ['openssl', 'openssl'],
  ['jq', 'jq'], // the guides' commands use it
  ['nsenter', 'util-linux'],
];

/** Installs what is missing in CI; elsewhere says what is missing, for it is not ours to change somebody's machine. */
export async function ensurePackages(note: (text: string) => void): Promise<void> {
  const missing = missingPackages();
  if (missing.length === 0) return;
  if (process.env.CI === undefined) {
    throw new Error(
      `missing on this machine: ${missing.join(' ')}; on Debian: apt-get install -y ${missing.join(' ')}`,
    );
  }
  note(`installing ${missing.join(' ')}`);
  await run(['apt-get', 'update', '-q'], { timeoutMs: 300_000 });
  await run(['apt-get', 'install', '-y', '-q', '--no-install-recommends', ...missing], {
    env: { DEBIAN_FRONTEND: 'noninteractive' },
    timeoutMs: 600_000,
  });
}

/** A program's path, as the shell would find it. */
export function which(name: string): string | undefined {
  if (name.startsWith('/')) return existsSync(name) ? name : undefined;
  const folders = `${process.env.PATH ?? ''}${delimiter}/usr/sbin${delimiter}/sbin`.split(delimiter);
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

function missingPackages(): string[] {
  const isThere = (path: string | undefined, isRight = (_: string) => true) => path !== undefined && isRight(path);
  return WANTED.filter(([file, , isRight]) => !isThere(which(file), isRight)).map(([, name]) => name);
}

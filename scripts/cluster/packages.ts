/**
 * What the node takes from the distribution: Debian's packages by name, programs elsewhere.
 * @module
 */
import { appendFileSync, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { AutocertError } from '../../runtime/lib/errors.ts';
import { isStatic } from '../elf.ts';
import { run } from './shell.ts';

/**
 * A file that tells whether a package is there (a program on PATH, or an absolute path), the Debian package, and what else
 * has to hold of the file: other packages may bring one of the same name.
 */
type Wanted = readonly [file: string, debianPackage: string, isRight?: (file: string) => boolean];

/** Name of a group of packages. */
export type PackageGroup = 'node' | 'databases' | 'faults' | 'gitops';

/** The library that gives a program another time. */
export const LIBFAKETIME = `/usr/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu/faketime/libfaketimeMT.so.1`;

/** iptables for the kernel's older tables; by its name it knows which of its programs it is to be. */
export const LEGACY_IPTABLES = '/usr/sbin/xtables-legacy-multi';

/** What is wanted together. */
const GROUPS: Readonly<Record<PackageGroup, readonly Wanted[]>> = {
  node: [
    ['runc', 'runc'],
    ['/usr/lib/cni/bridge', 'containernetworking-plugins'],
    ['iptables', 'iptables'],
    [LEGACY_IPTABLES, 'iptables'],
    ['ipset', 'ipset'],
    ['ip', 'iproute2'],
    ['conntrack', 'conntrack'],
    ['busybox', 'busybox-static', isStatic],
    ['curl', 'curl'],
    ['openssl', 'openssl'],
    ['jq', 'jq'], // the guides' commands use it
    ['nsenter', 'util-linux'],
    ['docker-registry', 'docker-registry'], // the image is pulled from it
  ],
  // Not mariadb-server: that is these programs, a system service and its user.
  databases: [
    ['/usr/lib/postgresql', 'postgresql'],
    ['mariadbd', 'mariadb-server-core'],
    ['mariadb', 'mariadb-client-core'],
    ['setpriv', 'util-linux'],
  ],
  faults: [[LIBFAKETIME, 'libfaketime']],
  gitops: [
    ['redis-server', 'redis-server'],
    ['git', 'git'],
    ['setpriv', 'util-linux'],
  ],
};

/** Debian's package `postgresql` makes a cluster and starts it unless this file says that it must not. */
const POSTGRESQL_SETTINGS = '/etc/postgresql-common/createcluster.conf';

/** Installs what is missing in CI; elsewhere says what is missing, for it is not ours to change somebody's machine. */
export async function ensurePackages(
  note: (text: string) => void,
  groups: readonly PackageGroup[] = ['node'],
): Promise<void> {
  const missing = missingPackages(groups);
  if (missing.length === 0) return;
  if (process.env.CI === undefined) {
    const command = `apt-get update && apt-get install -y --no-install-recommends ${missing.join(' ')}`;
    throw new AutocertError('UNAVAILABLE', `missing on this machine: ${missing.join(' ')}; on Debian: ${command}`);
  }
  note(`installing ${missing.join(' ')}`);
  await run(['apt-get', 'update', '-q'], { timeoutMs: 300_000 });
  if (missing.includes('postgresql')) {
    await installPackages(['postgresql-common']);
    appendFileSync(POSTGRESQL_SETTINGS, 'create_main_cluster = false\n');
  }
  await installPackages(missing);
}

async function installPackages(names: readonly string[]): Promise<void> {
  // Another apt-get, such as that of unattended-upgrades, is waited for.
  const locked = ['-o', 'DPkg::Lock::Timeout=300'];
  await run(['apt-get', ...locked, 'install', '-y', '-q', '--no-install-recommends', ...names], {
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

function missingPackages(groups: readonly PackageGroup[]): string[] {
  const wanted = groups.flatMap((group) => GROUPS[group]);
  const isThere = (path: string | undefined, isRight = (_: string) => true) => path !== undefined && isRight(path);
  return wanted.filter(([file, , isRight]) => !isThere(which(file), isRight)).map(([, name]) => name);
}

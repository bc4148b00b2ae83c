/**
 * Pieces of a container's root file system, taken from this machine: programs with the libraries that they load, and
 * the few files that every Linux program expects.
 * @module
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { TarEntry } from './tar.ts';

/** A user of the image, as `/etc/passwd` has it. */
export interface ImageUser {
  readonly name: string;
  readonly id: number;
  readonly home: string;
}

/** A text file. */
export function textFile(path: string, text: string, mode = 0o644): TarEntry {
  return { path: strip(path), type: 'file', mode, content: Buffer.from(text) };
}

/** A copy of a file of this machine. */
export function copyOf(source: string, path: string, mode = 0o644): TarEntry {
  return { path: strip(path), type: 'file', mode, content: readFileSync(source) };
}

/** A symbolic link at `path` that leads to `target`. */
export function link(path: string, target: string): TarEntry {
  return { path: strip(path), type: 'symlink', target };
}

/** A folder. */
export function folder(path: string, mode = 0o755, owner = 0): TarEntry {
  return { path: strip(path), type: 'directory', mode, uid: owner, gid: owner };
}

/** A program of this machine, and the shared libraries that `ldd` finds for it, each at the place it has here. */
export function program(source: string, path: string): TarEntry[] {
  return [copyOf(source, path, 0o755), ...librariesOf(source).map((library) => copyOf(library, library, 0o755))];
}

/** Users, name service and a `/tmp` for all. */
export function baseFiles(user: ImageUser): TarEntry[] {
  const users: readonly ImageUser[] = [{ name: 'root', id: 0, home: '/' }, user];
  const distinct = users.filter(({ id }, index) => users.findIndex((other) => other.id === id) === index);
  return [
    textFile(
      '/etc/passwd',
      distinct.map(({ name, id, home }) => `${name}:x:${id}:${id}:${name}:${home}:/sbin/nologin\n`).join(''),
    ),
    textFile('/etc/group', distinct.map(({ name, id }) => `${name}:x:${id}:\n`).join('')),
    textFile('/etc/nsswitch.conf', 'passwd: files\ngroup: files\nhosts: files dns\n'),
    folder('/etc/ssl/certs'),
    folder('/tmp', 0o1777),
  ];
}

function librariesOf(binary: string): string[] {
  let report: string;
  try {
    report = execFileSync('ldd', [binary], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch {
    return []; // a static program: ldd says so by its exit code
  }
  if (report.includes('not found')) throw new Error(`ldd ${binary}: a library is missing:\n${report}`);
  const named = [...report.matchAll(/(\/\S+) \(0x/g)].map(([, path]) => path ?? '');
  // The C library of before 2.34 loads these by name when it looks up a host; ldd cannot know.
  const nameService = named
    .filter((path) => /\/libc\.so\./.test(path))
    .flatMap((path) =>
      ['libnss_files.so.2', 'libnss_dns.so.2', 'libresolv.so.2'].map((name) => join(dirname(path), name)),
    );
  return [...new Set([...named, ...nameService.filter((path) => existsSync(path))])].sort();
}

function strip(path: string): string {
  return path.replace(/^\/+/, '');
}

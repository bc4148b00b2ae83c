/**
 * Pieces of a container's root file system, and the few files that every Linux program expects.
 * @module
 */
import { chmodSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { complete, type TarEntry } from './tar.ts';

/** A user of the image, as `/etc/passwd` has it. */
export interface ImageUser {
  readonly name: string;
  readonly id: number;
  readonly home: string;
}

/** A file. */
export function file(path: string, content: Uint8Array, mode = 0o644): TarEntry {
  return { path: strip(path), type: 'file', mode, content };
}

/** A text file. */
export function textFile(path: string, text: string, mode = 0o644): TarEntry {
  return file(path, Buffer.from(text), mode);
}

/** A copy of a file of this machine. */
export function copyOf(source: string, path: string, mode = 0o644): TarEntry {
  return file(path, readFileSync(source), mode);
}

/** A symbolic link at `path` that leads to `target`. */
export function link(path: string, target: string): TarEntry {
  return { path: strip(path), type: 'symlink', target };
}

/** A folder. */
export function folder(path: string, mode = 0o755, owner = 0): TarEntry {
  return { path: strip(path), type: 'directory', mode, uid: owner, gid: owner };
}

/** Writes entries below a folder; owners are not kept. */
export function writeFiles(root: string, entries: readonly TarEntry[]): void {
  if (mkdirSync(root, { recursive: true }) !== undefined) chmodSync(root, 0o755);
  for (const entry of complete(entries)) {
    const path = join(root, entry.path);
    if (entry.type === 'directory') mkdirSync(path, { recursive: true });
    else rmSync(path, { force: true });
    if (entry.type === 'file') writeFileSync(path, entry.content);
    if (entry.type === 'symlink') symlinkSync(entry.target, path);
    else chmodSync(path, entry.mode); // whatever the umask
  }
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

function strip(path: string): string {
  return path.replace(/^\/+/, '');
}

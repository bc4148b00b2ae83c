/**
 * Pieces of a container's root file system, taken from this machine: programs with the libraries that they load, and
 * the few files that every Linux program expects.
 * @module
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
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

/** Writes entries below a folder; owners are not kept. */
export function writeFiles(root: string, entries: readonly TarEntry[]): void {
  for (const entry of entries) {
    const path = join(root, entry.path);
    mkdirSync(entry.type === 'directory' ? path : dirname(path), { recursive: true });
    if (entry.type === 'directory') continue;
    rmSync(path, { force: true });
    if (entry.type === 'symlink') symlinkSync(entry.target, path);
    else {
      writeFileSync(path, entry.content);
      chmodSync(path, entry.mode);
    }
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

/** The first place on PATH where this machine has a program of this name. */
export function findOnPath(name: string): string | undefined {
  const places = (process.env.PATH ?? '').split(delimiter).map((dir) => join(dir, name));
  return places.find((path) => statSync(path, { throwIfNoEntry: false })?.isFile());
}

/**
 * Whether a program needs no shared libraries: it names no loader for them.
 * @throws Error when it is no program for Linux
 */
export function isStatic(binary: string): boolean {
  const bytes = readFileSync(binary);
  const isElf = bytes.length > 64 && bytes.subarray(0, 6).equals(Buffer.from('\x7fELF\x02\x01', 'latin1'));
  if (!isElf) throw new Error(`${binary} is not a 64-bit ELF program: an image can be made on Linux only`);
  const table = Number(bytes.readBigUInt64LE(32));
  const [size, count] = [bytes.readUInt16LE(54), bytes.readUInt16LE(56)];
  const kinds = Array.from({ length: count }, (_, index) => bytes.readUInt32LE(table + index * size));
  return !kinds.includes(PT_INTERP);
}

/** Kind of the program header that names the loader (ELF specification). */
const PT_INTERP = 3;

function librariesOf(binary: string): string[] {
  if (isStatic(binary)) return [];
  const ldd = findOnPath('ldd');
  if (ldd === undefined) throw new Error(`ldd is not on PATH: it tells which libraries ${binary} loads`);
  let report: string;
  try {
    report = execFileSync(ldd, [binary], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (cause) {
    throw new Error(`ldd cannot tell which libraries ${binary} loads, and without them it would not start`, { cause });
  }
  if (report.includes('not found')) throw new Error(`ldd ${binary}: a library is missing:\n${report}`);
  const named = [...report.matchAll(/(\/\S+) \(0x/g)].map(([, path]) => path ?? '');
  if (named.length === 0) throw new Error(`ldd ${binary} names no libraries:\n${report}`);
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

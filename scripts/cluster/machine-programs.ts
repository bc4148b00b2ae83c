/**
 * Programs of this machine, with the shared libraries that they load here: for the images of the tests' own node, which
 * stand in for those that a cluster elsewhere would pull. Autocert's image has nothing of it.
 * @module
 */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isStatic } from '../elf.ts';
import { copyOf } from '../root-files.ts';
import type { TarEntry } from '../tar.ts';
import { which } from './packages.ts';

/** A program of this machine, and the shared libraries that `ldd` finds for it, each at the place it has here. */
export function program(source: string, path: string): TarEntry[] {
  return [copyOf(source, path, 0o755), ...librariesOf(source).map((library) => copyOf(library, library, 0o755))];
}

/**
 * Where this machine has a busybox that needs no libraries.
 * @throws Error that says how to get one
 */
export function staticBusybox(path = which('busybox')): string {
  const remedy = 'the node of the tests needs a static one; on Debian: apt-get install busybox-static';
  if (path === undefined) throw new Error(`busybox is not on PATH: ${remedy}`);
  if (!isStatic(path)) throw new Error(`${path} loads shared libraries: ${remedy}`);
  return path;
}

function librariesOf(binary: string): string[] {
  if (isStatic(binary)) return [];
  const ldd = which('ldd');
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

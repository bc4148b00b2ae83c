/**
 * The shared libraries of an image: every program in it finds what it is linked with, or there is no image.
 * @module
 */
import { basename } from 'node:path';
import { isElf, readElf } from './elf.ts';
import type { TarEntry } from './tar.ts';

/** What is not in the image, and which file cannot be loaded without it. */
export interface MissingLibrary {
  /** A library's name, or the path of a loader, without the leading slash. */
  readonly name: string;
  readonly neededBy: string;
}

/** Where Debian's loader looks: below these, for the architecture and without it. */
const PLACES = /^(usr\/)?lib(64)?(\/[a-z0-9_]+-linux-gnu)?\/[^/]+$/;

/**
 * What the programs and libraries among the entries need and do not find.
 * @throws Error for one of another architecture
 */
export function missingLibraries(entries: readonly TarEntry[], machine: number): MissingLibrary[] {
  const paths = entries.filter(({ type }) => type !== 'directory').map(({ path }) => path);
  const there = new Set([...paths, ...paths.filter((path) => PLACES.test(path)).map((path) => basename(path))]);
  return entries.flatMap((entry) => {
    if (entry.type !== 'file' || !isElf(entry.content)) return [];
    const elf = readElf(entry.content);
    if (elf.machine !== machine) {
      throw new Error(`/${entry.path} is for architecture ${elf.machine} of ELF, but the image is for ${machine}`);
    }
    const wanted = [...(elf.interpreter === undefined ? [] : [elf.interpreter.slice(1)]), ...elf.needed];
    return wanted.filter((name) => !there.has(name)).map((name) => ({ name, neededBy: `/${entry.path}` }));
  });
}

/**
 * Adds what is missing, and what that needs in turn.
 * @param find a library by its name, or a loader by its path; as an entry of the image
 * @throws Error that names a library which is nowhere, and what needs it
 */
export function withLibraries(
  entries: readonly TarEntry[],
  machine: number,
  find: (name: string) => TarEntry | undefined,
): TarEntry[] {
  const all = new Map(entries.map((entry) => [entry.path, entry]));
  for (;;) {
    const missing = missingLibraries([...all.values()], machine);
    if (missing.length === 0) return [...all.values()];
    for (const { name, neededBy } of missing) {
      const entry = find(name);
      if (entry === undefined) {
        throw new Error(`${name}, which ${neededBy} needs, is in none of the packages that the image is made of`);
      }
      all.set(entry.path, entry);
    }
  }
}

/**
 * Reads the tar archives that are in Debian's packages (POSIX ustar, and GNU's way of writing long names).
 * @module
 */
import type { TarEntry } from './tar.ts';

const BLOCK = 512;

/** What an entry may be; others, such as devices, are left out. */
const Kind = {
  file: '0',
  oldFile: '',
  hardLink: '1',
  symlink: '2',
  directory: '5',
  longTarget: 'K',
  longName: 'L',
} as const;

/** The entries, by path; a path has neither a leading `./` nor a slash at its end. */
export function entriesOf(archive: Buffer): Map<string, TarEntry> {
  const found = new Map<string, TarEntry>();
  let long: { name?: string; target?: string } = {};
  for (let offset = 0; offset + BLOCK <= archive.length && archive[offset] !== 0; ) {
    const text = (from: number, length: number) =>
      archive.toString('utf8', offset + from, offset + from + length).replace(/\0.*$/s, '');
    const size = Number.parseInt(text(124, 12), 8);
    if (Number.isNaN(size)) throw new Error(`tar: no size at byte ${offset}`);
    const content = archive.subarray(offset + BLOCK, offset + BLOCK + size);
    const [kind, prefix] = [text(156, 1), text(257, 6) === 'ustar' ? text(345, 155) : ''];
    if (kind === Kind.longName) long = { ...long, name: content.toString('utf8').replace(/\0.*$/s, '') };
    else if (kind === Kind.longTarget) long = { ...long, target: content.toString('utf8').replace(/\0.*$/s, '') };
    else {
      const path = normal(long.name ?? [prefix, text(0, 100)].filter(Boolean).join('/'));
      const target = long.target ?? text(157, 100);
      const mode = Number.parseInt(text(100, 8), 8);
      const original = kind === Kind.hardLink ? found.get(normal(target)) : undefined;
      if (original !== undefined) found.set(path, { ...original, path });
      if (kind === Kind.file || kind === Kind.oldFile) found.set(path, { path, type: 'file', mode, content });
      if (kind === Kind.symlink) found.set(path, { path, type: 'symlink', target });
      if (kind === Kind.directory) found.set(path, { path, type: 'directory', mode });
      long = {};
    }
    offset += BLOCK + Math.ceil(size / BLOCK) * BLOCK;
  }
  return found;
}

function normal(path: string): string {
  return path.replace(/^\.?\/+/, '').replace(/\/+$/, '');
}

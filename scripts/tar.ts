/**
 * Writes tar archives (POSIX ustar) whose bytes depend on nothing but their entries: no times, no names of users, no
 * order of a file system.
 * @module
 */

/** One entry. Paths have no leading slash. Owner is root unless said otherwise. */
export type TarEntry = { readonly path: string; readonly uid?: number; readonly gid?: number } & (
  | { readonly type: 'file'; readonly mode: number; readonly content: Uint8Array }
  | { readonly type: 'directory'; readonly mode: number }
  | { readonly type: 'symlink'; readonly target: string }
);

const BLOCK = 512;
const TYPE_FLAGS = { file: '0', symlink: '2', directory: '5' } as const;

/** The archive, sorted by path, with every missing parent folder added. */
export function tarOf(entries: readonly TarEntry[]): Buffer {
  const parts: Uint8Array[] = [];
  for (const entry of complete(entries)) {
    parts.push(header(entry));
    if (entry.type === 'file') parts.push(entry.content, Buffer.alloc(padding(entry.content.length)));
  }
  parts.push(Buffer.alloc(2 * BLOCK));
  return Buffer.concat(parts);
}

/** Adds parent folders and sorts, so that a folder comes before what is in it. A path given twice keeps the last entry. */
export function complete(entries: readonly TarEntry[]): TarEntry[] {
  const all = new Map<string, TarEntry>();
  for (const { path } of entries) {
    const names = path.split('/');
    for (let depth = 1; depth < names.length; depth++) {
      const parent = names.slice(0, depth).join('/');
      all.set(parent, { path: parent, type: 'directory', mode: 0o755 });
    }
  }
  for (const entry of entries) all.set(entry.path, entry);
  return [...all.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

function header(entry: TarEntry): Buffer {
  const block = Buffer.alloc(BLOCK);
  const { name, prefix } = splitPath(entry.type === 'directory' ? `${entry.path}/` : entry.path);
  const text = (value: string, offset: number, length: number) => {
    if (Buffer.byteLength(value) > length)
      throw new Error(`tar: ${JSON.stringify(value)} is longer than ${length} bytes`);
    block.write(value, offset, length);
  };
  const octal = (value: number, offset: number, length: number) =>
    text(value.toString(8).padStart(length - 1, '0'), offset, length);

  text(name, 0, 100);
  octal(entry.type === 'symlink' ? 0o777 : entry.mode, 100, 8);
  octal(entry.uid ?? 0, 108, 8);
  octal(entry.gid ?? 0, 116, 8);
  octal(entry.type === 'file' ? entry.content.length : 0, 124, 12);
  octal(0, 136, 12);
  text(' '.repeat(8), 148, 8); // the checksum is counted over blanks
  text(TYPE_FLAGS[entry.type], 156, 1);
  if (entry.type === 'symlink') text(entry.target, 157, 100);
  text('ustar\u000000', 257, 8);
  text(prefix, 345, 155);
  const sum = block.reduce((total, byte) => total + byte, 0);
  text(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 8);
  return block;
}

/** Paths over 100 bytes go into two fields, cut at a slash. */
function splitPath(path: string): { name: string; prefix: string } {
  if (Buffer.byteLength(path) <= 100) return { name: path, prefix: '' };
  const cut = path.indexOf('/', Math.max(0, path.length - 101));
  if (cut <= 0 || cut === path.length - 1) throw new Error(`tar: ${JSON.stringify(path)} cannot be cut to fit ustar`);
  return { name: path.slice(cut + 1), prefix: path.slice(0, cut) };
}

function padding(length: number): number {
  return (BLOCK - (length % BLOCK)) % BLOCK;
}

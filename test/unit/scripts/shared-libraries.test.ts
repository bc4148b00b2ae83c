import { existsSync, readFileSync } from 'node:fs';
import { readElf } from '../../../scripts/elf.ts';
import { platform } from '../../../scripts/platform.ts';
import { file, link } from '../../../scripts/root-files.ts';
import { missingLibraries, withLibraries } from '../../../scripts/shared-libraries.ts';

const { machine, triplet } = platform();

/** A library or program that needs these, as small as can be: two program headers, a dynamic section, its strings. */
function elf(needed: readonly string[], loader?: string, kind = machine): Buffer {
  const strings = `\0${[...needed, loader ?? ''].map((name) => `${name}\0`).join('')}`;
  const [headers, dynamic] = [64, 64 + 3 * 56];
  const text = dynamic + (needed.length + 2) * 16;
  const bytes = Buffer.alloc(text + strings.length + 1);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1]);
  bytes.writeUInt16LE(kind, 18);
  bytes.writeBigUInt64LE(BigInt(headers), 32);
  bytes.writeUInt16LE(56, 54);
  bytes.writeUInt16LE(loader === undefined ? 2 : 3, 56);
  const segment = (index: number, type: number, offset: number, address: number, length: number) => {
    const at = headers + index * 56;
    bytes.writeUInt32LE(type, at);
    [offset, address, length].forEach((value, field) => {
      bytes.writeBigUInt64LE(BigInt(value), at + 8 + field * 8);
    });
    bytes.writeBigUInt64LE(BigInt(length), at + 32);
  };
  segment(0, 1, 0, 0x1000, bytes.length);
  segment(1, 2, dynamic, 0x1000 + dynamic, (needed.length + 2) * 16);
  const place = (name: string) => strings.indexOf(`\0${name}\0`) + 1;
  if (loader !== undefined) segment(2, 3, text + place(loader), 0, loader.length + 1);
  [...needed.map((name) => [1, place(name)] as const), [5, 0x1000 + text] as const].forEach(([tag, value], index) => {
    bytes.writeBigUInt64LE(BigInt(tag), dynamic + index * 16);
    bytes.writeBigUInt64LE(BigInt(value), dynamic + index * 16 + 8);
  });
  bytes.write(strings, text);
  return bytes;
}

const library = (name: string, needed: readonly string[] = []) => file(`/lib/${triplet}/${name}`, elf(needed));
const program = file('/usr/local/bin/tool', elf(['libx.so.1'], '/lib64/ld.so'));

describe('the ELF reader', () => {
  test('finds what the program that runs this test was linked with', () => {
    const { interpreter, needed, ...rest } = readElf(readFileSync(process.execPath));
    expect(rest).toEqual({ machine });
    expect(interpreter && existsSync(interpreter)).toBe(true);
    expect(needed).toEqual(expect.arrayContaining(['libc.so.6', 'libstdc++.so.6', 'libgcc_s.so.1']));
  });
});

describe('the libraries of an image', () => {
  test('are those that its programs need, and what these need in turn', () => {
    const found = withLibraries([program], machine, (name) =>
      name === 'lib64/ld.so' ? file(name, elf([])) : library(name, name === 'libx.so.1' ? ['liby.so.2'] : []),
    );
    const names = found.map(({ path }) => path).sort();
    expect(names).toEqual(
      ['lib64/ld.so', `lib/${triplet}/libx.so.1`, `lib/${triplet}/liby.so.2`, 'usr/local/bin/tool'].sort(),
    );
  });

  test('make the build fail when one is missing, which is named with what needs it', () => {
    const find = (name: string) => (name === 'liby.so.2' ? undefined : file(`lib/${name}`, elf(['liby.so.2'])));
    const missingLoader = () => withLibraries([program], machine, () => undefined);
    expect(missingLoader).toThrow(/^lib64\/ld\.so, which \/usr\/local\/bin\/tool needs, is in none of the packages/);
    const loader = file('lib64/ld.so', elf([]));
    expect(() => withLibraries([program, loader], machine, find)).toThrow(
      /^liby\.so\.2, which \/lib\/libx\.so\.1 needs, is in none of the packages/,
    );
  });

  test('count only where the loader looks', () => {
    const elsewhere = file('/opt/libx.so.1', elf([]));
    expect(missingLibraries([program, elsewhere, link('lib64/ld.so', '/x')], machine)).toEqual([
      { name: 'libx.so.1', neededBy: '/usr/local/bin/tool' },
    ]);
  });

  test('are of the architecture of the image', () => {
    expect(() => missingLibraries([file('/bin/x', elf([], undefined, 8))], machine)).toThrow(
      `/bin/x is for architecture 8 of ELF, but the image is for ${machine}`,
    );
  });
});

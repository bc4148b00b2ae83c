import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { PackageSource } from '../../scripts/apt.ts';
import { type PackagePin, packagedFile, takePackages } from '../../scripts/debian-packages.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'packages-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

/** Files by path; a value that begins with `->` is a link. */
function deb(name: string, version: string, files: Readonly<Record<string, string>>): Buffer {
  const root = mkdtempSync(join(dir, 'root-'));
  const control = `Package: ${name}\nVersion: ${version}\nArchitecture: all\nMaintainer: Nobody <nobody@example.com>\nDescription: for a test\n`;
  for (const [path, text] of Object.entries({ ...files, 'DEBIAN/control': control })) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    if (text.startsWith('->')) symlinkSync(text.slice(2), join(root, path));
    else writeFileSync(join(root, path), text);
  }
  const file = join(dir, 'made.deb');
  execFileSync('dpkg-deb', ['--root-owner-group', '--build', root, file], { stdio: 'ignore' });
  return readFileSync(file);
}

const sha256 = (content: Uint8Array) => createHash('sha256').update(content).digest('hex');
const pin = (name: string, version: string, content: Uint8Array): PackagePin => ({
  name,
  version,
  sha256: sha256(content),
});

/** An archive that has these versions. */
function archive(debs: Readonly<Record<string, Buffer>>, newest?: Buffer) {
  const asked: string[] = [];
  const source: PackageSource = {
    exact: async (name, version) => {
      asked.push(`${name}=${version}`);
      return debs[`${name}=${version}`];
    },
    newest: async (name) => {
      asked.push(name);
      return newest;
    },
  };
  const warnings: string[] = [];
  const cache = join(dir, 'cache');
  return { asked, warnings, cache, room: { source, cache, warn: (text: string) => warnings.push(text) } };
}

describe('Debian packages', () => {
  test('are those that are pinned, with their files', async () => {
    const one = deb('one', '1', { 'usr/lib/real': 'content', 'usr/lib/name': '->real' });
    const { room } = archive({ 'one=1': one });
    const packages = await takePackages(['one'], [pin('one', '1', one)], 'pinned', room);
    expect(packages).toMatchObject([{ name: 'one', version: '1', sha256: sha256(one) }]);
    expect(String(packagedFile(packages, 'usr/lib/name')?.content)).toBe('content');
  });

  test('come from the cache when they are there', async () => {
    const one = deb('one', '1', {});
    const { room, asked } = archive({ 'one=1': one });
    for (const _ of [1, 2]) await takePackages(['one'], [pin('one', '1', one)], 'pinned', room);
    expect(asked).toEqual(['one=1']);
  });

  test('are got again when the cache has other bytes', async () => {
    const one = deb('one', '1', {});
    const { room, cache, asked } = archive({ 'one=1': one });
    await takePackages(['one'], [pin('one', '1', one)], 'pinned', room);
    writeFileSync(join(cache, readdirSync(cache)[0] ?? ''), 'other');
    await takePackages(['one'], [pin('one', '1', one)], 'pinned', room);
    expect(asked).toEqual(['one=1', 'one=1']);
  });

  test.each(['pinned', 'newer'] as const)('are not used with another SHA-256 (%s)', async (choice) => {
    const [one, other] = [deb('one', '1', {}), deb('one', '1', { x: 'backdoor' })];
    const { room } = archive({ 'one=1': other }, other);
    await expect(takePackages(['one'], [pin('one', '1', one)], choice, room)).rejects.toThrow(
      new RegExp(
        `^Debian package one 1 has SHA-256 ${sha256(other)}, but scripts/image-packages.json says ${sha256(one)}`,
      ),
    );
  });

  test('that are no more are named, with the way out', async () => {
    const one = deb('one', '1', {});
    const { room } = archive({}, deb('one', '2', {}));
    await expect(takePackages(['one'], [pin('one', '1', one)], 'pinned', room)).rejects.toThrow(
      /^Debian package one 1 is in no archive that this machine knows any more: `npm run image -- --update-packages` pins what there is now, and --allow-newer-packages takes it this once; whoever has the package from elsewhere may put it at .*\.deb$/,
    );
    await expect(takePackages(['one'], [], 'pinned', room)).rejects.toThrow(
      /^Debian package one has no version in scripts\/image-packages\.json: `npm run image -- --update-packages`/,
    );
  });

  test('that are no more are replaced by newer ones where that is allowed, with a warning', async () => {
    const two = deb('one', '2', {});
    const { room, warnings } = archive({}, two);
    const [taken] = await takePackages(['one'], [pin('one', '1', deb('one', '1', {}))], 'newer', room);
    expect(taken?.version).toBe('2');
    expect(warnings).toEqual([expect.stringMatching(/^warning: one 1 is pinned but not to be had; 2 is taken/)]);
  });

  test('are never replaced by older ones', async () => {
    const { room } = archive({}, deb('one', '1:0.9', {}));
    await expect(takePackages(['one'], [pin('one', '1:1.0', deb('one', '1:1.0', {}))], 'newer', room)).rejects.toThrow(
      /^Debian package one 1:1\.0 is not to be had here, and 1:0\.9 is older/,
    );
  });

  test('bring the package that has their copyright file', async () => {
    const base = deb('base', '1', { 'usr/share/doc/base/copyright': 'text' });
    const one = deb('one', '1', { 'usr/share/doc/one': '->base' });
    const { room } = archive({ 'one=1': one, 'base=1': base });
    const packages = await takePackages(['one'], [pin('one', '1', one), pin('base', '1', base)], 'pinned', room);
    expect(packages.map(({ name }) => name)).toEqual(['one', 'base']);
  });

  test('with names that a plain header cannot hold are read', async () => {
    const path = `usr/${'d'.repeat(90)}/${'f'.repeat(120)}`;
    const one = deb('one', '1', { [path]: 'long', 'usr/l': `->${'t'.repeat(150)}` });
    const { room } = archive({ 'one=1': one });
    const [taken] = await takePackages(['one'], [pin('one', '1', one)], 'pinned', room);
    expect(String(packagedFile(taken ? [taken] : [], path)?.content)).toBe('long');
    expect(taken?.files.get('usr/l')).toMatchObject({ type: 'symlink', target: 't'.repeat(150) });
  });
});

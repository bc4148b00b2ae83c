import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Metafile } from 'esbuild';
import { bundledPackages, licensesText } from '../../../scripts/bundled-packages.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'bundled-'));
});
afterEach(() => rmSync(root, { recursive: true }));

interface Installed {
  readonly license?: unknown;
  readonly files?: Readonly<Record<string, string>>;
  readonly locked?: string;
}

const SHA512 = Buffer.alloc(64, 1);

function install(packages: Readonly<Record<string, Installed>>): void {
  const lock: Record<string, unknown> = {};
  for (const [place, { license = 'MIT', files = { LICENSE: 'a text' }, locked = '1.0.0' }] of Object.entries(
    packages,
  )) {
    const name = place.slice(place.lastIndexOf('node_modules/') + 13);
    write(join(place, 'package.json'), JSON.stringify({ name, version: '1.0.0', license }));
    for (const [file, text] of Object.entries(files)) write(join(place, file), text);
    lock[place] = { version: locked, integrity: `sha512-${SHA512.toString('base64')}` };
  }
  write('package-lock.json', JSON.stringify({ packages: lock }));
}

function write(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

function metafile(inputs: Readonly<Record<string, number>>): Metafile {
  const entries = Object.entries(inputs).map(([path, bytesInOutput]) => [path, { bytesInOutput }]);
  const output = { bytes: 1, inputs: Object.fromEntries(entries), imports: [], exports: [] };
  return { inputs: {}, outputs: { 'x.cjs': output } };
}

describe('the packages in the bundles', () => {
  test('are those of which a byte was taken, with licence, texts and hash', () => {
    install({ 'node_modules/@a/b': {}, 'node_modules/c/node_modules/d': { license: 'ISC' }, 'node_modules/e': {} });
    const found = bundledPackages(root, [
      metafile({ 'node_modules/@a/b/x/index.js': 5, 'node_modules/e/index.js': 0, 'runtime/main.ts': 9 }),
      metafile({ 'node_modules/c/node_modules/d/index.js': 1 }),
    ]);
    expect(found).toEqual([
      expect.objectContaining({ name: '@a/b', license: 'MIT', texts: ['a text'], sha512: SHA512.toString('hex') }),
      expect.objectContaining({ name: 'd', license: 'ISC', places: ['node_modules/c/node_modules/d'] }),
    ]);
  });

  test('are named once when they are installed twice', () => {
    install({ 'node_modules/d': {}, 'node_modules/c/node_modules/d': {} });
    const used = { 'node_modules/d/index.js': 1, 'node_modules/c/node_modules/d/index.js': 1 };
    expect(bundledPackages(root, [metafile(used)])).toMatchObject([
      { name: 'd', places: ['node_modules/c/node_modules/d', 'node_modules/d'] },
    ]);
  });

  test.each<[string, Installed, RegExp]>([
    [
      'no text',
      { files: { 'README.md': 'MIT' } },
      /^node_modules\/d \(d 1\.0\.0\), which is in a bundle, has no licence text/,
    ],
    [
      'another licence',
      { license: 'GPL-3.0-only' },
      /has the licence "GPL-3\.0-only", but it takes one of 0BSD, Apache-2\.0/,
    ],
    ['no licence', { license: { type: 'MIT' } }, /has the licence \{"type":"MIT"\}, but it takes one of/],
    ['another version than the lock', { locked: '2.0.0' }, /is not what package-lock\.json has: run npm ci/],
  ])('fail the build with %s', (_, installed, words) => {
    install({ 'node_modules/d': installed });
    expect(() => bundledPackages(root, [metafile({ 'node_modules/d/index.js': 1 })])).toThrow(words);
  });

  test('have their notices besides their licences, and each text once', () => {
    const files = { 'LICENSE.md': 'the licence\r\n', NOTICE: 'a notice', 'CopyrightNotice.txt': 'rights' };
    install({ 'node_modules/c': { files }, 'node_modules/d': { files } });
    const used = { 'node_modules/c/index.js': 1, 'node_modules/d/index.js': 1 };
    const text = licensesText(bundledPackages(root, [metafile(used)]));
    expect(text).toContain('c 1.0.0 (MIT)\nd 1.0.0 (MIT)\n\nrights\n\nthe licence\n\na notice\n');
    expect(text.split('the licence')).toHaveLength(2);
  });
});

import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Image, writeImages } from '../../../scripts/docker-archive.ts';
import { baseFiles, folder, link, program, textFile } from '../../../scripts/root-files.ts';
import { type TarEntry, tarOf } from '../../../scripts/tar.ts';

interface Listed {
  readonly path: string;
  readonly type: string;
  readonly mode: string;
  readonly owner: string;
  readonly target: string;
  readonly content: Buffer;
}

/** Reads an archive back, by the text of the standard, and checks each header's sum. */
function list(archive: Buffer): Listed[] {
  const found: Listed[] = [];
  for (let offset = 0; archive[offset] !== 0; ) {
    const header = Buffer.from(archive.subarray(offset, offset + 512));
    const field = (from: number, length: number) => header.toString('utf8', from, from + length).replace(/\0.*$/s, '');
    const stated = Number.parseInt(field(148, 8), 8);
    expect(header.fill(' ', 148, 156).reduce((sum, byte) => sum + byte, 0)).toBe(stated);
    const size = Number.parseInt(field(124, 12), 8);
    found.push({
      path: [field(345, 155), field(0, 100)].filter(Boolean).join('/'),
      type: field(156, 1),
      mode: field(100, 8),
      owner: `${Number.parseInt(field(108, 8), 8)}:${Number.parseInt(field(116, 8), 8)}`,
      target: field(157, 100),
      content: archive.subarray(offset + 512, offset + 512 + size),
    });
    offset += 512 + Math.ceil(size / 512) * 512;
  }
  return found;
}

describe('tar archives', () => {
  test('have every missing parent folder, each before what is in it', () => {
    const paths = list(tarOf([textFile('/b/c/file', 'x'), textFile('/a', 'y')])).map(({ path }) => path);
    expect(paths).toEqual(['a', 'b/', 'b/c/', 'b/c/file']);
  });

  test('do not depend on the order of their entries', () => {
    const entries = [textFile('/x', '1'), folder('/y'), link('/z', '/x')];
    expect(tarOf(entries).equals(tarOf(entries.toReversed()))).toBe(true);
  });

  test('keep mode, owner, link target and content', () => {
    const entries: TarEntry[] = [folder('/home', 0o700, 1000), link('/l', 'home'), textFile('/t', 'content', 0o4755)];
    expect(list(tarOf(entries))).toMatchObject([
      { path: 'home/', type: '5', mode: '0000700', owner: '1000:1000' },
      { path: 'l', type: '2', target: 'home' },
      { path: 't', type: '0', mode: '0004755', owner: '0:0', content: Buffer.from('content') },
    ]);
  });

  test('hold paths of up to 255 bytes, and refuse what the format cannot say', () => {
    const long = `${'d'.repeat(90)}/${'e'.repeat(60)}/${'f'.repeat(100)}`;
    expect(list(tarOf([textFile(long, '')])).at(-1)?.path).toBe(long);
    expect(() => tarOf([textFile('f'.repeat(101), '')])).toThrow(/cannot be cut/);
    expect(() => tarOf([link('/l', 't'.repeat(101))])).toThrow(/longer than 100 bytes/);
  });
});

describe('docker archives', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'image-'));
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  const shared = [textFile('/shared', 'lower layer')];
  const image = (tag: string): Image => ({
    tags: [tag],
    layers: [shared, [textFile('/own', tag)]],
    config: { User: '65532', Entrypoint: ['/own'] },
  });
  const write = (images: readonly Image[]) => {
    const file = join(dir, 'image.tar');
    const id = writeImages(file, images);
    return { id, bytes: readFileSync(file) };
  };

  test('name a configuration and layers by their own digests', () => {
    const { id, bytes } = write([image('a:1')]);
    const files = new Map(list(bytes).map(({ path, content }) => [path, content]));
    const manifest = JSON.parse(String(files.get('manifest.json')));
    expect(manifest).toMatchObject([{ Config: `${id}.json`, RepoTags: ['a:1'] }]);
    const config = JSON.parse(String(files.get(`${id}.json`)));
    expect(config).toMatchObject({ os: 'linux', config: { User: '65532', Entrypoint: ['/own'] } });
    for (const [index, name] of manifest[0].Layers.entries()) {
      const digest = createHash('sha256')
        .update(files.get(name) ?? '')
        .digest('hex');
      expect(name).toBe(`${digest}.tar`);
      expect(config.rootfs.diff_ids[index]).toBe(`sha256:${digest}`);
    }
  });

  test('are the same bytes every time', () => {
    expect(write([image('a:1')]).bytes.equals(write([image('a:1')]).bytes)).toBe(true);
  });

  test('hold a layer that images share once', () => {
    const layers = list(write([image('a:1'), image('b:1')]).bytes).filter(({ path }) => path.endsWith('.tar'));
    expect(layers).toHaveLength(3);
  });
});

describe('root file systems', () => {
  test('have the user that the image runs as, and a /tmp for all', () => {
    const entries = list(tarOf(baseFiles({ name: 'nonroot', id: 65532, home: '/' })));
    const at = (path: string) => entries.find((entry) => entry.path === path);
    expect(String(at('etc/passwd')?.content)).toContain('nonroot:x:65532:65532:');
    expect(at('tmp/')?.mode).toBe('0001777');
  });

  test('have a program with its libraries, which are files of this machine', () => {
    const [first, ...libraries] = program(process.execPath, '/usr/local/bin/node');
    expect(first).toMatchObject({ path: 'usr/local/bin/node', type: 'file', mode: 0o755 });
    expect(libraries.every(({ type }) => type === 'file')).toBe(true);
  });
});

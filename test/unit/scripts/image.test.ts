import { createHash } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { program, staticBusybox } from '../../../scripts/cluster/machine-programs.ts';
import { writeImages } from '../../../scripts/docker-archive.ts';
import { isStatic } from '../../../scripts/elf.ts';
import { IMAGE_CONFIG } from '../../../scripts/image.ts';
import type { Image } from '../../../scripts/oci-image.ts';
import { baseFiles, folder, link, textFile, writeFiles } from '../../../scripts/root-files.ts';
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

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'image-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

describe('docker archives', () => {
  const shared = [textFile('/shared', 'lower layer')];
  const image = (tag: string): Image => ({
    tags: [tag],
    layers: [shared, [textFile('/own', tag)]],
    config: { User: '65532', Entrypoint: ['/own'] },
  });
  const write = (images: readonly Image[]) => {
    const file = join(dir, 'image.tar');
    const [written] = writeImages(file, images);
    return { written, bytes: readFileSync(file) };
  };
  const filesOf = (bytes: Buffer) => new Map(list(bytes).map(({ path, content }) => [path, content]));
  const parsed = (files: ReadonlyMap<string, Buffer>, path: string) => JSON.parse(String(files.get(path)));

  test('name manifests, configurations and layers by their own digests', () => {
    const files = filesOf(write([image('a:1'), image('b:1')]).bytes);
    const blobs = [...files].filter(([path]) => path.startsWith('blobs/sha256/') && !path.endsWith('/'));
    expect(blobs).toHaveLength(3 + 2 + 2); // layers, configurations, manifests
    for (const [path, content] of blobs) {
      expect(path).toBe(`blobs/sha256/${createHash('sha256').update(content).digest('hex')}`);
    }
  });

  test('are an OCI layout, with the digest that is told and the name that containerd has', () => {
    const { written, bytes } = write([image('a:1')]);
    const files = filesOf(bytes);
    const blob = (digest: string) => parsed(files, `blobs/${digest.replace(':', '/')}`);
    const [entry] = parsed(files, 'index.json').manifests;
    expect(entry).toMatchObject({ digest: written?.digest, platform: { os: 'linux' } });
    expect(entry.annotations['io.containerd.image.name']).toBe('docker.io/library/a:1');
    const manifest = blob(entry.digest);
    expect(manifest.config.digest).toBe(written?.id);
    const config = blob(manifest.config.digest);
    expect(config).toMatchObject({ os: 'linux', config: { User: '65532', Entrypoint: ['/own'] } });
    expect(config.rootfs.diff_ids).toEqual(manifest.layers.map(({ digest }: { digest: string }) => digest));
    expect(parsed(files, 'oci-layout')).toEqual({ imageLayoutVersion: '1.0.0' });
  });

  test('say the same in the manifest.json of Docker', () => {
    const { written, bytes } = write([image('a:1')]);
    const files = filesOf(bytes);
    const [entry] = parsed(files, 'manifest.json');
    expect(entry).toMatchObject({ RepoTags: ['a:1'], Config: `blobs/${written?.id.replace(':', '/')}` });
    expect(entry.Layers.every((path: string) => files.has(path))).toBe(true);
  });

  test.each([
    ['autocert:1', 'docker.io/library/autocert:1', '1'],
    ['me/autocert:1', 'docker.io/me/autocert:1', '1'],
    ['registry.example/autocert:1', 'registry.example/autocert:1', '1'],
    ['localhost/autocert:1', 'localhost/autocert:1', '1'],
    ['registry:5000/autocert', 'registry:5000/autocert', 'latest'],
  ])('name %s in full', (tag, full, short) => {
    const [entry] = parsed(filesOf(write([image(tag)]).bytes), 'index.json').manifests;
    expect(entry.annotations).toEqual({ 'io.containerd.image.name': full, 'org.opencontainers.image.ref.name': short });
  });

  test('have a digest that does not depend on the tags', () => {
    expect(write([{ ...image('a:1'), tags: ['b:2', 'c:3'] }]).written).toEqual(write([image('a:1')]).written);
  });

  test('are the same bytes every time', () => {
    expect(write([image('a:1')]).bytes.equals(write([image('a:1')]).bytes)).toBe(true);
  });

  test('hold a layer that images share once', () => {
    const files = filesOf(write([image('a:1'), image('b:1')]).bytes);
    const layers = parsed(files, 'manifest.json').flatMap(({ Layers }: { Layers: string[] }) => Layers);
    expect([layers.length, new Set(layers).size]).toEqual([4, 3]);
  });
});

/** Writes an ELF program as small as can be: a header that names nothing to load, or a loader alone. */
function smallest(kind: 'static' | 'dynamic'): string {
  const bytes = Buffer.alloc(128);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1]);
  if (kind === 'dynamic') {
    bytes.writeBigUInt64LE(64n, 32); // one entry of 56 bytes, which begins there
    bytes.writeUInt16LE(56, 54);
    bytes.writeUInt16LE(1, 56);
    bytes.writeUInt32LE(3, 64);
  }
  writeFileSync(join(dir, kind), bytes);
  return join(dir, kind);
}

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
    expect(libraries.map(({ path }) => path)).toContainEqual(expect.stringMatching(/libc\.so\.6$/));
    expect(libraries.every(({ type }) => type === 'file')).toBe(true);
  });

  test('have a static program alone', () => {
    expect(program(smallest('static'), '/bin/static')).toHaveLength(1);
  });

  test('can be written into a folder, whatever the umask', () => {
    const before = process.umask(0o077);
    writeFiles(join(dir, 'root'), [folder('/tmp', 0o1777), textFile('/a/b', 'x', 0o644)]);
    process.umask(before);
    const modes = ['', 'tmp', 'a', 'a/b'].map((path) => (statSync(join(dir, 'root', path)).mode & 0o7777).toString(8));
    expect(modes).toEqual(['755', '1777', '755', '644']);
  });

  test('can be written into a folder that is there', () => {
    writeFiles(dir, [folder('/tmp'), textFile('/bin/tool', 'a tool', 0o755), link('/bin/name', '/bin/tool')]);
    expect(readFileSync(join(dir, 'bin/tool'), 'utf8')).toBe('a tool');
    expect(statSync(join(dir, 'bin/tool')).mode & 0o777).toBe(0o755);
    expect([readlinkSync(join(dir, 'bin/name')), statSync(join(dir, 'tmp')).isDirectory()]).toEqual([
      '/bin/tool',
      true,
    ]);
  });

  describe('are not made of guesses:', () => {
    const path = process.env.PATH;
    afterEach(() => {
      process.env.PATH = path;
    });
    const ldd = (script: string) => {
      writeFileSync(join(dir, 'ldd'), `#!/bin/sh\n${script}\n`);
      chmodSync(join(dir, 'ldd'), 0o755);
      process.env.PATH = `${dir}:${path}`;
    };

    test.each([
      ['fails', 'exit 1', /ldd cannot tell which libraries/],
      ['is missing a library', 'echo "libx.so => not found"', /a library is missing/],
      ['says nothing', ':', /names no libraries/],
    ])('an ldd that %s', (_, script, words) => {
      ldd(script);
      expect(() => program(smallest('dynamic'), '/usr/local/bin/node')).toThrow(words);
    });

    test('no ldd at all', () => {
      process.env.PATH = dir;
      expect(() => program(smallest('dynamic'), '/usr/local/bin/node')).toThrow(/ldd is not on PATH/);
    });

    test('a program of another system', () => {
      const program = join(dir, 'program');
      for (const text of ['\u00cf\u00fa\u00ed\u00fe', '#!/bin/sh\n', '']) {
        writeFileSync(program, text.padEnd(100));
        expect(() => isStatic(program)).toThrow(/is not a 64-bit ELF program: an image can be made on Linux only/);
      }
    });

    test.each([
      ['missing', undefined, /busybox is not on PATH: .*apt-get install busybox-static/],
      ['not static', process.execPath, /loads shared libraries: .*apt-get install busybox-static/],
    ])('a busybox that is %s', (_, file, words) => {
      if (file === undefined) process.env.PATH = dir;
      expect(() => (file === undefined ? staticBusybox() : staticBusybox(file))).toThrow(words);
    });
  });
});

describe('the image', () => {
  test('the Dockerfile says the same of how it runs', () => {
    const dockerfile = readFileSync(join(import.meta.dirname, '../../../Dockerfile'), 'utf8');
    const { Entrypoint, Cmd, Env, User, WorkingDir } = IMAGE_CONFIG;
    const lines = [
      `ENV ${Env.join(' ')}`,
      `USER ${User}`,
      `WORKDIR ${WorkingDir}`,
      `ENTRYPOINT ${JSON.stringify(Entrypoint)}`,
      `CMD ${JSON.stringify(Cmd)}`,
    ];
    expect(dockerfile.split('\n')).toEqual(expect.arrayContaining(lines));
  });
});

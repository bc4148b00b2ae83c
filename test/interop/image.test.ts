import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { IMAGE_CACHE } from '../../scripts/image-packages.ts';
import { platform } from '../../scripts/platform.ts';
import { missingLibraries } from '../../scripts/shared-libraries.ts';
import type { TarEntry } from '../../scripts/tar.ts';
import { entriesOf } from '../../scripts/tar-reader.ts';
import { buildImage, copyProject } from '../support/image-build.ts';

interface Component {
  readonly type: string;
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  readonly 'bom-ref': string;
  readonly licenses: readonly { readonly expression: string }[];
  readonly hashes: readonly { readonly alg: string; readonly content: string }[];
}

interface Built {
  readonly printed: string;
  readonly archive: Buffer;
  readonly bom: string;
}

/** Builds it in a folder of this name, as a user with these settings would. */
async function build(name: string, umask: string, env: NodeJS.ProcessEnv): Promise<Built> {
  const folder = join(dir, name);
  copyProject(folder);
  const { stdout, stderr } = await buildImage(folder, [], env, umask);
  if (stderr !== '') console.warn(stderr);
  const archive = readFileSync(join(folder, 'build/autocert-image.tar'));
  return { printed: stdout, archive, bom: readFileSync(join(folder, 'build/autocert-image.cdx.json'), 'utf8') };
}

let dir: string;
let first: Built;
let second: Built;
let files: ReadonlyMap<string, TarEntry>;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'image-'));
  const cache = { AUTOCERT_IMAGE_CACHE: IMAGE_CACHE };
  first = await build('one', '022', { ...cache, HOME: process.env.HOME, TZ: 'UTC', LC_ALL: 'C' });
  const elsewhere = {
    ...cache,
    HOME: dir,
    TZ: 'Asia/Tokyo',
    LC_ALL: 'tr_TR.UTF-8',
    SOURCE_DATE_EPOCH: '1',
  };
  second = await build('a folder/elsewhere', '077', elsewhere);
  const archive = entriesOf(first.archive);
  const [{ Layers }] = JSON.parse(String(contentOf(archive, 'manifest.json')));
  files = new Map(Layers.flatMap((path: string) => [...entriesOf(Buffer.from(contentOf(archive, path)))]));
}, 240_000);

afterAll(() => rmSync(dir, { recursive: true, force: true }));

function contentOf(entries: ReadonlyMap<string, TarEntry>, path: string): Uint8Array {
  const entry = entries.get(path);
  if (entry?.type !== 'file') throw new Error(`no file ${path}`);
  return entry.content;
}

describe('npm run image', () => {
  test('gives the same bytes and the same digest in another folder, with another umask, home, locale and time zone', () => {
    const digest = (built: Built) => /digest {2}(sha256:[0-9a-f]{64})/.exec(built.printed)?.[1];
    console.log(`two builds: ${digest(first)} and ${digest(second)}`);
    expect(digest(first)).toMatch(/^sha256:/);
    expect(digest(second)).toBe(digest(first));
    expect(second.archive.equals(first.archive)).toBe(true);
    expect(second.bom).toBe(first.bom);
  });

  test('prints the digest that its manifest has, and a line for main.ts', () => {
    const [{ digest }] = JSON.parse(String(contentOf(entriesOf(first.archive), 'index.json'))).manifests;
    expect(first.printed).toContain(`digest  ${digest} `);
    expect(first.printed).toMatch(new RegExp(`const image = 'autocert:[^']*@${digest}';`));
  });

  test('has every library that its programs need, and a shell that needs none', () => {
    expect(missingLibraries([...files.values()], platform().machine)).toEqual([]);
    expect(
      missingLibraries(
        [...files.values()].filter(({ path }) => !/libstdc/.test(path)),
        platform().machine,
      ),
    ).toEqual([{ name: 'libstdc++.so.6', neededBy: '/usr/local/bin/node' }]);
  });

  test('belongs to root and can be written by nobody but for /tmp', () => {
    const modes = [...files.values()].flatMap((entry) => (entry.type === 'symlink' ? [] : [entry]));
    expect(modes.filter(({ mode }) => (mode & 0o022) !== 0).map(({ path }) => path)).toEqual(['tmp']);
  });

  test('has the licence of everything in it', () => {
    const bundled = String(contentOf(files, 'usr/share/licenses/autocert/THIRD_PARTY_LICENSES'));
    expect(bundled).toMatch(/^fastify \d.* \(MIT\)$/m);
    expect(String(contentOf(files, 'usr/share/licenses/node/LICENSE'))).toContain('OpenSSL');
    expect(String(contentOf(files, 'usr/share/common-licenses/GPL-3'))).toContain('GNU GENERAL PUBLIC LICENSE');
    const packages = [...files.keys()].filter((path) => path.startsWith('var/lib/dpkg/status.d/'));
    for (const name of packages.map((path) => path.slice('var/lib/dpkg/status.d/'.length)).filter(Boolean)) {
      const documents = files.get(`usr/share/doc/${name}`);
      const owner = documents?.type === 'symlink' ? documents.target : name;
      expect(contentOf(files, `usr/share/doc/${owner}/copyright`).length).toBeGreaterThan(500);
    }
    expect(packages.length).toBeGreaterThan(4);
  });
});

describe('the bill of materials', () => {
  // A validator of CycloneDX's schema is twenty packages; what it asks of these fields is here.
  test('has what CycloneDX 1.6 wants, and no time', () => {
    const bom = JSON.parse(first.bom);
    expect(bom).toMatchObject({ bomFormat: 'CycloneDX', specVersion: '1.6', version: 1 });
    expect(bom.serialNumber).toMatch(/^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(bom.metadata).not.toHaveProperty('timestamp');
    const components: readonly Component[] = [bom.metadata.component, ...bom.components];
    for (const { type, name, version, purl, licenses } of components) {
      expect(['application', 'container', 'library']).toContain(type);
      expect([name, version].every(Boolean)).toBe(true);
      expect(purl).toMatch(/^pkg:(npm|deb\/debian|generic|oci)\/[^@\s]+@[^@\s]+$/);
      expect(licenses[0]?.expression).toMatch(/^[A-Za-z0-9. +-]+$/);
    }
    const lengths = { 'SHA-256': 64, 'SHA-512': 128 } as Readonly<Record<string, number>>;
    const hashes = components.flatMap((each) => each.hashes ?? []);
    for (const { alg, content } of hashes) expect([alg, content.length]).toEqual([alg, lengths[alg]]);
    const refs = components.map((each) => each['bom-ref']);
    expect(new Set(refs).size).toBe(refs.length);
    for (const { ref, dependsOn } of bom.dependencies)
      expect(refs).toEqual(expect.arrayContaining([ref, ...dependsOn]));
  });

  test('names Node with what is in it, the Debian packages, and the npm packages that are in the bundles', () => {
    const { components } = JSON.parse(first.bom);
    const find = (name: string) => components.find((each: Component) => each.name === name);
    expect(find('node').components.map((each: Component) => each.name)).toEqual(
      expect.arrayContaining(['openssl', 'v8']),
    );
    expect(find('libc6').purl).toMatch(/^pkg:deb\/debian\/libc6@[^?]+\?arch=\w+&distro=debian-\d+$/);
    expect(find('fastify').hashes[0].content).toMatch(/^[0-9a-f]{128}$/);
    expect(find('jest')).toBeUndefined();
  });
});

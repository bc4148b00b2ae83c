import { generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { IMAGE_CACHE } from '../../scripts/image-packages.ts';
import { blobPath, type Descriptor, type ImageBlobs, imageBlobs, MediaType } from '../../scripts/oci-image.ts';
import { ALL_PLATFORMS, platform } from '../../scripts/platform.ts';
import { sha256 } from '../../scripts/project-files.ts';
import { registryAccess } from '../../scripts/registry/access.ts';
import { Registry } from '../../scripts/registry/client.ts';
import { pushImages } from '../../scripts/registry/push.ts';
import { parseReference } from '../../scripts/registry/reference.ts';
import { textFile, writeFiles } from '../../scripts/root-files.ts';
import { missingLibraries } from '../../scripts/shared-libraries.ts';
import { entriesOf } from '../../scripts/tar-reader.ts';
import { signingAuthority } from '../support/authorities.ts';
import {
  byPassword,
  type DockerRegistry,
  dockerConfig,
  LOGIN,
  startDockerRegistry,
} from '../support/docker-registry.ts';
import { buildImage, copyProject } from '../support/image-build.ts';
import { output, program } from '../support/programs.ts';

interface Manifest {
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'registry-'));
});
afterAll(() => rmSync(dir, { recursive: true }));

/** Pulls by plain HTTP, with nothing of ours, and compares the digest. */
async function pull(url: string, { digest, size }: Pick<Descriptor, 'digest' | 'size'>, accept = '*/*') {
  const answer = await fetch(url, { headers: { accept } });
  expect([url, answer.status]).toEqual([url, 200]);
  const content = Buffer.from(await answer.arrayBuffer());
  expect([content.length, `sha256:${sha256(content)}`]).toEqual([size, digest]);
  return content;
}

describe('npm run image -- --oci and --push', () => {
  let registry: DockerRegistry;
  let printed: string;
  const digestOf = (printed: string) => /@(sha256:[0-9a-f]{64})'/.exec(printed)?.[1];

  beforeAll(async () => {
    registry = await startDockerRegistry(dir);
    copyProject(join(dir, 'project'));
    const env = { AUTOCERT_IMAGE_CACHE: IMAGE_CACHE, HOME: dir };
    const target = ['--push', `${registry.host}/team/autocert:0.1.0`, '--plain-http'];
    // Both at once: that two builds give the same is tried in image.test.ts.
    printed = (await buildImage(join(dir, 'project'), [...target, '--oci', join(dir, 'layout')], env)).stdout;
  }, 400_000);
  afterAll(() => registry?.[Symbol.asyncDispose]());

  test('give one digest, in a layout and in a registry', () => {
    const digest = digestOf(printed);
    expect(digest).toMatch(/^sha256:/);
    const index = JSON.parse(readFileSync(join(dir, 'layout/index.json'), 'utf8'));
    expect(index.manifests).toMatchObject([{ mediaType: MediaType.index, digest }]);
    expect(printed).toContain(`digest  ${digest} (of the index)`);
    expect(JSON.parse(readFileSync(join(dir, 'layout/oci-layout'), 'utf8'))).toEqual({ imageLayoutVersion: '1.0.0' });
  });

  test('have every blob of both architectures, of the digest that it is named by', async () => {
    const base = `${registry.url}/v2/team/autocert`;
    const head = await fetch(`${base}/manifests/0.1.0`, { method: 'HEAD', headers: { accept: MediaType.index } });
    const top = {
      digest: head.headers.get('docker-content-digest') ?? '',
      size: Number(head.headers.get('content-length')),
    };
    expect(top.digest).toBe(digestOf(printed));
    const index = JSON.parse(String(await pull(`${base}/manifests/0.1.0`, top, MediaType.index)));
    const named = index.manifests.map(({ platform }: Descriptor) => `${platform?.os}/${platform?.architecture}`);
    expect(named).toEqual(['linux/amd64', 'linux/arm64']);
    for (const each of index.manifests as Descriptor[]) {
      const bytes = await pull(`${base}/manifests/${each.digest}`, each, each.mediaType);
      const { config, layers } = JSON.parse(String(bytes)) as Manifest;
      const description = JSON.parse(String(await pull(`${base}/blobs/${config.digest}`, config)));
      expect(description).toMatchObject({ os: 'linux', architecture: each.platform?.architecture });
      const contents = [];
      for (const layer of layers) contents.push(await pull(`${base}/blobs/${layer.digest}`, layer));
      // Also: every program in it is of this architecture, and finds its libraries.
      const machine = ALL_PLATFORMS.find(({ architecture }) => architecture === each.platform?.architecture)?.machine;
      const files = contents.flatMap((content) => [...entriesOf(content).values()]);
      expect(missingLibraries(files, machine as number)).toEqual([]);
      for (const { digest, size } of [each, config, ...layers]) {
        const file = readFileSync(join(dir, 'layout', blobPath({ digest })));
        expect([file.length, `sha256:${sha256(file)}`]).toEqual([size, digest]);
      }
    }
  });

  test('have programs that run on the other architecture, as far as an emulator tells', async () => {
    const other = ALL_PLATFORMS.find(({ machine }) => machine !== platform().machine);
    const read = (path: string) => readFileSync(join(dir, 'layout', path));
    const [top] = JSON.parse(String(read('index.json'))).manifests;
    const { manifests } = JSON.parse(String(read(blobPath(top)))) as { manifests: Descriptor[] };
    const image = manifests.find(({ platform: of }) => of?.architecture === other?.architecture) as Descriptor;
    const { layers } = JSON.parse(String(read(blobPath(image)))) as Manifest;
    const root = join(dir, 'root');
    for (const layer of layers) writeFiles(root, [...entriesOf(read(blobPath(layer))).values()]);
    const emulator = await program(other?.architecture === 'arm64' ? 'qemu-aarch64' : 'qemu-x86_64');
    const emulated = (file: string, ...args: string[]) =>
      output(emulator, ['-L', root, join(root, file), ...args], { NODE_OPTIONS: '' });
    const arch = await emulated('usr/local/bin/node', '-p', 'process.arch');
    expect(arch.stdout.trim()).toBe(other?.architecture.replace('amd64', 'x64'));
    // Nothing that derives keys from passwords: an emulator takes a quarter of a minute for it.
    const certificate = join(dir, 'other.crt');
    writeFileSync(certificate, (await signingAuthority('Other')).root);
    const inspected = await emulated('usr/local/bin/node', join(root, 'app/autocert.cjs'), 'inspect', certificate);
    expect(inspected).toMatchObject({ code: 0, stdout: expect.stringContaining('Other') });
    expect(await emulated('bin/busybox', 'sh', '-c', 'echo a shell')).toMatchObject({ code: 0, stdout: 'a shell\n' });
  }, 120_000);

  test('write a bill of materials for each architecture', () => {
    for (const { architecture } of ALL_PLATFORMS) {
      const file = join(dir, `project/build/autocert-image.${architecture}.cdx.json`);
      expect([file, existsSync(file)]).toEqual([file, true]);
      expect(JSON.parse(readFileSync(file, 'utf8')).metadata.component.purl).toContain(`arch=${architecture}`);
    }
  });
});

describe('a registry that asks who one is', () => {
  const RIGHT = `${LOGIN.user}:${LOGIN.password}`;
  const small: ImageBlobs = imageBlobs(
    ['amd64', 'arm64'].map((architecture) => ({
      tags: ['a:1'],
      layers: [[textFile('/shared', 'of both')], [textFile('/own', architecture)]],
      config: { User: '65532' },
      architecture,
    })),
  );
  const before = process.env.DOCKER_CONFIG;
  afterEach(() => {
    if (before === undefined) delete process.env.DOCKER_CONFIG;
    else process.env.DOCKER_CONFIG = before;
  });

  /** Pushes with these credentials, as `docker login` writes them. */
  function push(registry: DockerRegistry, login?: string, lines: string[] = []): Promise<string> {
    process.env.DOCKER_CONFIG = dockerConfig(dir, registry.host, login);
    const target = parseReference(`${registry.host}/a/b`, '1');
    return pushImages(new Registry(target, registryAccess(target, true)), target.tag, small, (line) =>
      lines.push(line),
    );
  }

  describe('by a password', () => {
    let registry: DockerRegistry;
    beforeAll(async () => {
      registry = await startDockerRegistry(dir, { auth: byPassword(dir) });
    });
    afterAll(() => registry?.[Symbol.asyncDispose]());

    test('takes the right one; the second time, all is there already', async () => {
      const lines: string[] = [];
      const digest = await push(registry, RIGHT);
      expect(await push(registry, RIGHT, lines)).toBe(digest);
      expect(lines.filter((line) => line.includes('there already'))).toHaveLength(5); // three layers, two configurations
      const headers = {
        accept: MediaType.index,
        authorization: `Basic ${Buffer.from(RIGHT).toString('base64')}`,
      };
      const answer = await fetch(`${registry.url}/v2/a/b/manifests/1`, { headers });
      expect(`sha256:${sha256(Buffer.from(await answer.arrayBuffer()))}`).toBe(digest);
    });

    test('refuses without one, and says where it was looked for', async () => {
      const why =
        /^the registry asks for a password: .*config\.json has no credentials for 127\.0\.0\.1:\d+ in "auths"; `docker login/;
      await expect(push(registry)).rejects.toThrow(why);
    });

    test('refuses a wrong one, and it is not in the message', async () => {
      const refused = await push(registry, 'me:wrong battery').catch((error) => error);
      expect(refused).toMatchObject({ code: 'UNAUTHENTICATED' });
      expect(refused.message).toMatch(/^the registry does not take the credentials: those of .*config\.json were sent/);
      expect(refused.message).not.toMatch(/wrong|battery/);
    });
  });

  test('by a token gets one from its token server, for this repository, and no password itself', async () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const [key, certificate] = [join(dir, 'token.key'), join(dir, 'token.crt')];
    writeFileSync(key, privateKey.export({ type: 'pkcs8', format: 'pem' }));
    const self = ['req', '-x509', '-key', key, '-subj', '/CN=tokens', '-days', '1', '-out', certificate];
    expect(await output('openssl', self)).toMatchObject({ code: 0 });
    const x5c = [/-----\n([^-]+)-----/.exec(readFileSync(certificate, 'utf8'))?.[1]?.replaceAll('\n', '')];
    const asked: string[] = [];
    // As the registry's documentation of token authentication has it.
    const tokens = createServer((request, response) => {
      const url = new URL(request.url ?? '', 'http://tokens');
      asked.push(
        `${url.searchParams.get('scope')} ${Buffer.from(request.headers.authorization?.split(' ')[1] ?? '', 'base64')}`,
      );
      const now = Math.floor(Date.now() / 1000);
      const claims = {
        iss: 'tokens',
        sub: 'me',
        aud: url.searchParams.get('service'),
        exp: now + 60,
        nbf: now - 60,
        iat: now,
        jti: randomUUID(),
        access: [{ type: 'repository', name: 'a/b', actions: ['pull', 'push'] }],
      };
      const parts = [{ typ: 'JWT', alg: 'ES256', x5c }, claims].map((part) =>
        Buffer.from(JSON.stringify(part)).toString('base64url'),
      );
      const signature = sign('sha256', Buffer.from(parts.join('.')), { key: privateKey, dsaEncoding: 'ieee-p1363' });
      response.end(JSON.stringify({ token: [...parts, signature.toString('base64url')].join('.') }));
    }).listen(0, '127.0.0.1');
    try {
      await new Promise((resolve) => tokens.once('listening', resolve));
      const realm = `http://127.0.0.1:${(tokens.address() as AddressInfo).port}/token`;
      const token = { realm, service: 'a registry', issuer: 'tokens', rootcertbundle: certificate };
      await using registry = await startDockerRegistry(dir, { auth: { token } });
      expect(await push(registry, RIGHT)).toMatch(/^sha256:/);
      expect(asked).toEqual([`repository:a/b:pull,push ${RIGHT}`]);
    } finally {
      tokens.close();
    }
  });
});

/**
 * Writes container images as docker-archive files (`docker load`, `ctr images import`, `kind load image-archive`,
 * `podman load` take them), without Docker. The same input gives the same bytes.
 * @module
 */
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { type TarEntry, tarOf } from './tar.ts';

/** What the image runs, in the words of the OCI image configuration. */
export interface ImageConfig {
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly Env?: readonly string[];
  readonly User?: string;
  readonly WorkingDir?: string;
  readonly Labels?: Readonly<Record<string, string>>;
}

/** One image: layers from the lowest to the highest. */
export interface Image {
  readonly tags: readonly string[];
  readonly layers: readonly (readonly TarEntry[])[];
  readonly config: ImageConfig;
}

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

/** The name that container registries have for the architecture of this machine. */
export function architecture(): string {
  const name = ARCHITECTURES[process.arch];
  if (name === undefined) throw new Error(`no container architecture is known for ${process.arch}; x64 and arm64 are`);
  return name;
}

/** Writes one or more images to `file`; layers that they share are in it once. Returns the id of the first image. */
export function writeImages(file: string, images: readonly Image[]): string {
  const entries: TarEntry[] = [];
  const add = (name: string, content: Buffer) => entries.push({ path: name, type: 'file', mode: 0o644, content });
  const digests = new Map<readonly TarEntry[], string>();
  const addLayer = (layer: readonly TarEntry[]): string => {
    const known = digests.get(layer);
    if (known !== undefined) return known;
    const content = tarOf(layer);
    const digest = sha256(content);
    add(`${digest}.tar`, content);
    digests.set(layer, digest);
    return digest;
  };
  const manifest = images.map(({ tags, layers, config }) => {
    const layerDigests = layers.map(addLayer);
    const description = Buffer.from(
      JSON.stringify({
        architecture: architecture(),
        os: 'linux',
        created: '1970-01-01T00:00:00Z',
        config,
        rootfs: { type: 'layers', diff_ids: layerDigests.map((digest) => `sha256:${digest}`) },
      }),
    );
    const id = sha256(description);
    add(`${id}.json`, description);
    return { Config: `${id}.json`, RepoTags: tags, Layers: layerDigests.map((digest) => `${digest}.tar`) };
  });
  add('manifest.json', Buffer.from(JSON.stringify(manifest)));
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, tarOf(entries));
  return manifest[0]?.Config.replace('.json', '') ?? '';
}

function sha256(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

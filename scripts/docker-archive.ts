/**
 * Writes container images into an archive (`docker load`, `ctr images import`, `kind load image-archive`, `podman load`,
 * `skopeo copy oci-archive:` take it), without Docker. The same input gives the same bytes.
 * @module
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { platform } from './platform.ts';
import { sha256 } from './project-files.ts';
import { file as fileEntry, textFile } from './root-files.ts';
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

/** What a written image is known by. */
export interface WrittenImage {
  /** Digest of its manifest: what containerd shows, and a registry that keeps the layers as they are. */
  readonly digest: string;
  /** Digest of its configuration: what Docker calls the image's id. */
  readonly id: string;
}

const OCI = 'application/vnd.oci.image';

/**
 * Writes one or more images to `file`; layers that they share are in it once. It is an OCI layout, whose manifests are
 * ours, so that every program that reads it comes to the same digest; and it has the `manifest.json` of `docker save`, for
 * those that know no other.
 *
 * Layers are not compressed: what zlib makes of the same bytes depends on its version and on the processor.
 */
export function writeImages(file: string, images: readonly Image[]): WrittenImage[] {
  const blobs = new Map<string, Uint8Array>();
  const addBlob = (mediaType: string, content: Uint8Array) => {
    const digest = `sha256:${sha256(content)}`;
    blobs.set(digest, content);
    return { mediaType: `${OCI}.${mediaType}`, digest, size: content.length };
  };
  const layers = new Map<readonly TarEntry[], ReturnType<typeof addBlob>>();
  const addLayer = (layer: readonly TarEntry[]) => {
    const descriptor = layers.get(layer) ?? addBlob('layer.v1.tar', tarOf(layer));
    layers.set(layer, descriptor);
    return descriptor;
  };
  const target = { architecture: platform().architecture, os: 'linux' };
  const written = images.map((image) => {
    const own = image.layers.map(addLayer);
    const description = {
      ...target,
      created: '1970-01-01T00:00:00Z',
      config: image.config,
      rootfs: { type: 'layers', diff_ids: own.map(({ digest }) => digest) },
    };
    const config = addBlob('config.v1+json', json(description));
    const manifest = { schemaVersion: 2, mediaType: `${OCI}.manifest.v1+json`, config, layers: own };
    return { tags: image.tags, config, layers: own, manifest: addBlob('manifest.v1+json', json(manifest)) };
  });
  const index = written.flatMap(({ tags, manifest }) =>
    tags.map((tag) => ({
      ...manifest,
      annotations: namesOf(tag),
      platform: target,
    })),
  );
  const place = ({ digest }: { readonly digest: string }) => `blobs/${digest.replace(':', '/')}`;
  const docker = written.map((each) => ({
    Config: place(each.config),
    RepoTags: each.tags,
    Layers: each.layers.map(place),
  }));
  const entries = [
    textFile('oci-layout', JSON.stringify({ imageLayoutVersion: '1.0.0' })),
    textFile('index.json', JSON.stringify({ schemaVersion: 2, mediaType: `${OCI}.index.v1+json`, manifests: index })),
    textFile('manifest.json', JSON.stringify(docker)),
    ...[...blobs].map(([digest, content]) => fileEntry(place({ digest }), content)),
  ];
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, tarOf(entries));
  return written.map(({ config, manifest }) => ({ digest: manifest.digest, id: config.digest }));
}

/** A tag as containerd names images (with its registry), and as the OCI layout does (the tag alone). */
function namesOf(reference: string): Record<string, string> {
  const [first = '', ...rest] = reference.split('/');
  const hasRegistry = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost');
  const full = hasRegistry ? reference : `docker.io/${rest.length > 0 ? '' : 'library/'}${reference}`;
  const tag = /:([^/:]+)$/.exec(full)?.[1] ?? 'latest';
  return { 'io.containerd.image.name': full, 'org.opencontainers.image.ref.name': tag };
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

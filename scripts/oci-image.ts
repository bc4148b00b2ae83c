/**
 * Container images as the OCI image specification has them: blobs by their digests. The same input gives the same bytes.
 * @module
 */
import { platform } from './platform.ts';
import { sha256 } from './project-files.ts';
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
  /** By the name that registries have. @default - that of this machine */
  readonly architecture?: string;
}

/** What a written image is known by. */
export interface WrittenImage {
  /** Digest of its manifest: what containerd shows, and a registry that keeps the layers as they are. */
  readonly digest: string;
  /** Digest of its configuration: what Docker calls the image's id. */
  readonly id: string;
}

/** Kinds of blobs. Layers are not compressed: what zlib makes of the same bytes depends on its version and on the processor. */
export const MediaType = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
} as const;

/** Content of the file `oci-layout`. */
export const LAYOUT_VERSION = { imageLayoutVersion: '1.0.0' } as const;

/** What a blob is known by. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly platform?: { readonly architecture: string; readonly os: string };
}

/** One image as descriptors. */
export interface ImageDescriptors {
  readonly tags: readonly string[];
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly manifest: Descriptor;
}

/** Images, and the bytes of all that they are made of, by digest. */
export interface ImageBlobs {
  readonly blobs: ReadonlyMap<string, Uint8Array>;
  readonly written: readonly ImageDescriptors[];
}

/** Makes the blobs of images; what they share is there once. */
export function imageBlobs(images: readonly Image[]): ImageBlobs {
  const blobs = new Map<string, Uint8Array>();
  const addBlob = (mediaType: string, content: Uint8Array): Descriptor => {
    const { digest, size } = describe(mediaType, content);
    blobs.set(digest, content);
    return { mediaType, digest, size };
  };
  const layers = new Map<readonly TarEntry[], Descriptor>();
  const addLayer = (layer: readonly TarEntry[]) => {
    const descriptor = layers.get(layer) ?? addBlob(MediaType.layer, tarOf(layer));
    layers.set(layer, descriptor);
    return descriptor;
  };
  const written = images.map(({ tags, architecture = platform().architecture, ...image }) => {
    const own = image.layers.map(addLayer);
    const target = { architecture, os: 'linux' };
    const description = {
      ...target,
      created: '1970-01-01T00:00:00Z',
      config: image.config,
      rootfs: { type: 'layers', diff_ids: own.map(({ digest }) => digest) },
    };
    const config = addBlob(MediaType.config, json(description));
    const manifest = { schemaVersion: 2, mediaType: MediaType.manifest, config, layers: own };
    const { mediaType, digest, size } = addBlob(MediaType.manifest, json(manifest));
    return { tags, config, layers: own, manifest: { mediaType, digest, size, platform: target } };
  });
  return { blobs, written };
}

/** The index of images for several platforms: what a tag in a registry names. */
export function imageIndex(written: readonly ImageDescriptors[]): {
  readonly descriptor: Descriptor;
  readonly content: Uint8Array;
} {
  const manifests = written.map(({ manifest }) => manifest);
  const content = json({ schemaVersion: 2, mediaType: MediaType.index, manifests });
  return { descriptor: describe(MediaType.index, content), content };
}

/** Where a layout has a blob. */
export function blobPath({ digest }: Pick<Descriptor, 'digest'>): string {
  return `blobs/${digest.replace(':', '/')}`;
}

/** JSON as bytes. */
export function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

function describe(mediaType: string, content: Uint8Array): Descriptor {
  return { mediaType, digest: `sha256:${sha256(content)}`, size: content.length };
}

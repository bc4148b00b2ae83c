/**
 * Writes container images into an archive (`docker load`, `ctr images import`, `kind load image-archive`, `podman load`,
 * `skopeo copy oci-archive:` take it), without Docker. The same input gives the same bytes.
 * @module
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { blobPath, type Image, imageBlobs, json, LAYOUT_VERSION, MediaType, type WrittenImage } from './oci-image.ts';
import { file as fileEntry, textFile } from './root-files.ts';
import { tarOf } from './tar.ts';

/**
 * Writes one or more images to `file`; layers that they share are in it once. It is an OCI layout, whose manifests are
 * ours, so that every program that reads it comes to the same digest; and it has the `manifest.json` of `docker save`, for
 * those that know no other.
 */
export function writeImages(file: string, images: readonly Image[]): WrittenImage[] {
  const { blobs, written } = imageBlobs(images);
  const manifests = written.flatMap(({ tags, manifest }) =>
    tags.map((tag) => ({ ...manifest, annotations: namesOf(tag) })),
  );
  const docker = written.map(({ config, tags, layers }) => ({
    Config: blobPath(config),
    RepoTags: tags,
    Layers: layers.map(blobPath),
  }));
  const entries = [
    textFile('oci-layout', JSON.stringify(LAYOUT_VERSION)),
    fileEntry('index.json', json({ schemaVersion: 2, mediaType: MediaType.index, manifests })),
    fileEntry('manifest.json', json(docker)),
    ...[...blobs].map(([digest, content]) => fileEntry(blobPath({ digest }), content)),
  ];
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, tarOf(entries));
  return written.map(({ config, manifest }) => ({ digest: manifest.digest, id: config.digest }));
}

/** A tag as containerd names images (with its registry), and as the OCI layout does (the tag alone). */
export function namesOf(reference: string): Record<string, string> {
  const [first = '', ...rest] = reference.split('/');
  const hasRegistry = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost');
  const full = hasRegistry ? reference : `docker.io/${rest.length > 0 ? '' : 'library/'}${reference}`;
  const tag = /:([^/:]+)$/.exec(full)?.[1] ?? 'latest';
  return { 'io.containerd.image.name': full, 'org.opencontainers.image.ref.name': tag };
}

/**
 * Writes images for several platforms as an OCI image layout: a folder that `skopeo copy oci:FOLDER` and others take.
 * @module
 */
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { namesOf } from './docker-archive.ts';
import { blobPath, type ImageBlobs, imageIndex, json, LAYOUT_VERSION, MediaType } from './oci-image.ts';

const MARKER = 'oci-layout';

/**
 * @throws Error for a folder that has something else in it
 */
export function checkLayoutFolder(folder: string): void {
  if (!existsSync(folder) || readdirSync(folder).length === 0 || existsSync(join(folder, MARKER))) return;
  throw new Error(`--oci: ${folder} has files in it and is no OCI image layout; name a new folder, or an empty one`);
}

/**
 * Writes it; one that is there is replaced.
 * @param tags names of the image
 * @returns the index's digest
 * @throws Error for a folder that has something else in it
 */
export function writeLayout(folder: string, tags: readonly string[], { blobs, written }: ImageBlobs): string {
  checkLayoutFolder(folder);
  rmSync(join(folder, 'blobs'), { recursive: true, force: true });
  const { descriptor, content } = imageIndex(written);
  const manifests = tags.map((tag) => ({ ...descriptor, annotations: namesOf(tag) }));
  const files: readonly (readonly [path: string, content: Uint8Array])[] = [
    ...[...blobs, [descriptor.digest, content] as const].map(([digest, blob]) => [blobPath({ digest }), blob] as const),
    ['index.json', json({ schemaVersion: 2, mediaType: MediaType.index, manifests })],
    [MARKER, json(LAYOUT_VERSION)],
  ];
  for (const [path, bytes] of files) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), bytes);
  }
  return descriptor.digest;
}

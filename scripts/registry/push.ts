/**
 * Pushes an image for several platforms: what it is made of first, its index last, so that no tag names half an image.
 * @module
 */
import { type Descriptor, type ImageBlobs, imageIndex } from '../oci-image.ts';
import type { Registry } from './client.ts';

/**
 * @param tag what it is found by
 * @param say takes a line of progress
 * @returns the index's digest: what a pod names to get exactly this
 */
export async function pushImages(
  registry: Pick<Registry, 'pushBlob' | 'pushManifest'>,
  tag: string,
  { blobs, written }: ImageBlobs,
  say: (text: string) => void = console.log,
): Promise<string> {
  const content = ({ digest }: Descriptor): Uint8Array => {
    const found = blobs.get(digest);
    if (found === undefined) throw new Error(`the image has no blob ${digest}`);
    return found;
  };
  const parts = new Map(
    written.flatMap(({ layers, config }) => [...layers, config]).map((each) => [each.digest, each]),
  );
  for (const part of parts.values()) {
    const begun = performance.now();
    const isNew = await registry.pushBlob(part, content(part));
    say(`${part.digest}  ${megabytes(part)}  ${isNew ? `pushed in ${seconds(begun)}` : 'there already'}`);
  }
  for (const { manifest } of written) {
    await registry.pushManifest(manifest, content(manifest), manifest.digest);
    say(`${manifest.digest}  manifest for ${manifest.platform?.os}/${manifest.platform?.architecture}`);
  }
  const index = imageIndex(written);
  await registry.pushManifest(index.descriptor, index.content, tag);
  say(`${index.descriptor.digest}  index, as ${tag}`);
  return index.descriptor.digest;
}

function megabytes({ size }: Descriptor): string {
  return `${(size / 1e6).toFixed(1)} MB`;
}

function seconds(begun: number): string {
  return `${((performance.now() - begun) / 1000).toFixed(1)} s`;
}

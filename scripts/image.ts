/**
 * `npm run image`: writes the container image of this project, without Docker, to `build/autocert-image.tar`, and its bill of
 * materials beside it. Three layers: Node, which seldom changes, a shell, and the bundles. The same commit gives the same
 * digest, on any machine: all of it is built here or pinned (`scripts/image-packages.json`).
 *
 * - `--tag registry.example/autocert:1.0 --output /tmp/image.tar` names it otherwise.
 * - `--root /tmp/root` writes its files into a folder instead: what the Dockerfile does.
 * - `--update-packages` pins the newest packages.
 * - `--allow-newer-packages` takes what there is in place of pinned packages that are no more, with a warning.
 * @module
 */
import { execFile } from 'node:child_process';
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { type Image, writeImages } from './docker-archive.ts';
import { nodeFiles, ownFiles, shellFiles, USER } from './image-files.ts';
import { type ImageIngredients, imageIngredients } from './image-packages.ts';
import { ROOT, readJson } from './project-files.ts';
import { writeFiles } from './root-files.ts';
import { imageBom } from './sbom.ts';
import type { TarEntry } from './tar.ts';

/**
 * How the image runs. The Dockerfile says the same. Its manifests name the command of each part; without one, as in
 * `kubectl run autocert-init --image …`, it installs them.
 */
export const IMAGE_CONFIG = {
  Entrypoint: ['/usr/local/bin/autocert'],
  Cmd: ['install'],
  Env: ['PATH=/usr/local/bin:/bin', 'NODE_ENV=production'],
  User: `${USER.id}:${USER.id}`,
  WorkingDir: '/',
} as const;

/** The image, from what `npm run build` wrote. */
export function autocertImage(
  tags: readonly string[],
  ingredients: ImageIngredients,
  node: readonly TarEntry[] = nodeFiles(ingredients),
): Image {
  return { tags, layers: [node, shellFiles(ingredients), ownFiles()], config: IMAGE_CONFIG };
}

/** `autocert:<version of this package>`: the tag that the manifests name by default. */
export function defaultTag(): string {
  return `autocert:${readJson<{ version: string }>('package.json').version}`;
}

/** Builds the bundles that the image holds. */
export async function buildBundles(): Promise<void> {
  await promisify(execFile)(process.execPath, [join(ROOT, 'scripts/build.ts')]);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      tag: { type: 'string', multiple: true },
      output: { type: 'string', default: join(ROOT, 'build/autocert-image.tar') },
      root: { type: 'string' },
      'update-packages': { type: 'boolean', default: false },
      'allow-newer-packages': { type: 'boolean', default: false },
    },
  });
  const choice = values['update-packages'] ? 'newest' : values['allow-newer-packages'] ? 'newer' : 'pinned';
  const [ingredients] = await Promise.all([imageIngredients(choice), buildBundles()]);
  const tags = values.tag ?? [defaultTag()];
  const image = autocertImage(tags, ingredients);
  if (values.root !== undefined) return writeFiles(values.root, image.layers.flat());
  const [written] = writeImages(values.output, [image]);
  if (written === undefined) throw new Error('no image was written');
  const bom = values.output.replace(/(\.tar)?$/, '.cdx.json');
  writeFileSync(bom, imageBom(tags, written.digest, ingredients));
  const [tag = ''] = tags;
  console.log(`${values.output} (${Math.round(statSync(values.output).size / 1e6)} MB): ${tags.join(', ')}
  digest  ${written.digest} (of the manifest: containerd and registries)
  config  ${written.id} (the image's id in Docker)
  bill of materials  ${bom}
To have exactly this image, in main.ts:
  const image = '${tag}@${written.digest}';
  new StepCa(…, { autocertImage: image }); new AutocertWebhook(…, { ca, image });`);
}

if (import.meta.main) {
  try {
    await main();
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}

/**
 * `npm run image`: writes the container image of this project, without Docker, to `build/autocert-image.tar`, and its bill of
 * materials beside it. Three layers: Node, which seldom changes, a shell, and the bundles. The same commit gives the same
 * digest, on any machine: all of it is built here or pinned (`scripts/image-packages.json`).
 * `-- --help` says what else it does.
 * @module
 */
import { execFile } from 'node:child_process';
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { messageOf } from '../runtime/lib/errors.ts';
import { writeImages } from './docker-archive.ts';
import { flagsOf } from './flags.ts';
import { nodeFiles, ownFiles, shellFiles, USER } from './image-files.ts';
import { type ImageIngredients, imageIngredients } from './image-packages.ts';
import { type Image, imageBlobs } from './oci-image.ts';
import { checkLayoutFolder, writeLayout } from './oci-layout.ts';
import { ALL_PLATFORMS, type Platform, platform, platformNamed } from './platform.ts';
import { ROOT, readJson } from './project-files.ts';
import { registryAccess } from './registry/access.ts';
import { Registry } from './registry/client.ts';
import { pushImages } from './registry/push.ts';
import { parseReference, referenceText } from './registry/reference.ts';
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
  const { architecture } = ingredients.platform;
  return { tags, layers: [node, shellFiles(ingredients), ownFiles()], config: IMAGE_CONFIG, architecture };
}

/** `autocert:<version of this package>`: the tag that the manifests name by default. */
export function defaultTag(): string {
  return `autocert:${readJson<{ version: string }>('package.json').version}`;
}

/** Builds the bundles that the image holds. */
export async function buildBundles(): Promise<void> {
  await promisify(execFile)(process.execPath, [join(ROOT, 'scripts/build.ts')]);
}

const HELP = `npm run image -- [flags]

  without flags            build/autocert-image.tar, for this machine's platform: docker load, kind load image-archive
  --output FILE            that archive, elsewhere
  --oci FOLDER             an OCI image layout instead, for all platforms
  --push REGISTRY/NAME[:TAG]
                           puts it into a registry, for all platforms, with the password that \`docker login\` has kept
  --plain-http             that registry has no TLS
  --tag NAME:TAG           what it is called (more than once: several names)
  --platform linux/arm64   for this platform alone
  --root FOLDER            writes its files into a folder: what the Dockerfile does
  --update-packages        pins the newest Debian packages in scripts/image-packages.json
  --allow-newer-packages   takes newer ones, with a warning, where the pinned are no more`;

/** The flags. */
function flags() {
  const { values } = flagsOf(HELP, {
    options: {
      tag: { type: 'string', multiple: true },
      output: { type: 'string' },
      oci: { type: 'string' },
      push: { type: 'string' },
      'plain-http': { type: 'boolean', default: false },
      platform: { type: 'string', multiple: true },
      root: { type: 'string' },
      'update-packages': { type: 'boolean', default: false },
      'allow-newer-packages': { type: 'boolean', default: false },
    },
  });
  return values;
}

/** An archive, which a node or Docker loads, is for machines as this one; what goes to a registry is for all. */
function platformsOf({ platform: named, oci, push, 'update-packages': update }: ReturnType<typeof flags>): Platform[] {
  if (named !== undefined) {
    const wanted = named.map(platformNamed);
    return ALL_PLATFORMS.filter((each) => wanted.includes(each)); // in one order: that of the index is in its digest
  }
  return oci !== undefined || push !== undefined || update ? [...ALL_PLATFORMS] : [platform()];
}

async function main(): Promise<void> {
  const values = flags();
  const { oci, push } = values;
  const target =
    push === undefined ? undefined : parseReference(push, readJson<{ version: string }>('package.json').version);
  const registry = target && new Registry(target, registryAccess(target, values['plain-http']));
  if (oci !== undefined) checkLayoutFolder(oci);
  const platforms = platformsOf(values);
  const archive =
    values.output ?? (oci === undefined && push === undefined ? join(ROOT, 'build/autocert-image.tar') : undefined);
  if (platforms.length > 1 && (values.root ?? values.output) !== undefined) {
    throw new Error('--output and --root are for one platform: name it by --platform');
  }
  const choice = values['update-packages'] ? 'newest' : values['allow-newer-packages'] ? 'newer' : 'pinned';
  const built = buildBundles();
  const all: ImageIngredients[] = [];
  // One after the other: they pin in one file.
  for (const each of platforms) all.push(await imageIngredients(choice, each));
  await built;
  const tags = values.tag ?? [target === undefined ? defaultTag() : referenceText(target)];
  const images = all.map((ingredients) => autocertImage(tags, ingredients));
  const [first] = images;
  if (first === undefined) throw new Error('no image was made');
  if (values.root !== undefined) return writeFiles(values.root, first.layers.flat());
  if (archive !== undefined) writeArchive(archive, tags, images, all);
  if (oci === undefined && target === undefined) return;
  const made = imageBlobs(images);
  for (const [index, { manifest }] of made.written.entries()) {
    const ingredients = all[index] as ImageIngredients;
    const bom = join(ROOT, `build/autocert-image.${ingredients.platform.architecture}.cdx.json`);
    writeFileSync(bom, imageBom(tags, manifest.digest, ingredients));
    console.log(`linux/${ingredients.platform.architecture}  ${manifest.digest}; bill of materials  ${bom}`);
  }
  if (oci !== undefined)
    console.log(`${oci}: ${tags.join(', ')}\n  digest  ${writeLayout(oci, tags, made)} (of the index)`);
  if (registry === undefined || target === undefined) return;
  const digest = await pushImages(registry, target.tag, made);
  console.log(`pushed  ${referenceText(target)}\n${useOf(referenceText(target), digest)}`);
}

function writeArchive(
  file: string,
  tags: readonly string[],
  images: readonly Image[],
  all: readonly ImageIngredients[],
): void {
  const [ingredients] = all;
  const [written] = writeImages(file, images.slice(0, 1));
  if (ingredients === undefined || written === undefined) throw new Error('no image was written');
  const bom = file.replace(/(\.tar)?$/, '.cdx.json');
  writeFileSync(bom, imageBom(tags, written.digest, ingredients));
  console.log(`${file} (${Math.round(statSync(file).size / 1e6)} MB): ${tags.join(', ')}
  digest  ${written.digest} (of the manifest: containerd and registries)
  config  ${written.id} (the image's id in Docker)
  bill of materials  ${bom}
${useOf(tags[0] ?? '', written.digest)}`);
}

function useOf(tag: string, digest: string): string {
  return `To have exactly this image, in main.ts:
  const image = '${tag}@${digest}';
  new StepCa(…, { autocertImage: image }); new AutocertWebhook(…, { ca, image });`;
}

if (import.meta.main) {
  try {
    await main();
  } catch (error) {
    console.error(messageOf(error));
    process.exitCode = 1;
  }
}

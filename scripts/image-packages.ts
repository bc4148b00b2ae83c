/**
 * What the image takes from elsewhere, and `scripts/image-packages.json`, which pins it for each architecture: Node's
 * program, and Debian's packages.
 * @module
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { Apt } from './apt.ts';
import { type DebianPackage, type PackageChoice, type PackagePin, takePackages } from './debian-packages.ts';
import { foreignNode } from './foreign-node.ts';
import { type Platform, platform } from './platform.ts';
import { ROOT, readJson, sha256 } from './project-files.ts';

const PINS = 'scripts/image-packages.json';
const NODE = 'node_modules/node';

/** Where .deb files are kept: `AUTOCERT_IMAGE_CACHE`, else below `XDG_CACHE_HOME` or `~/.cache`. */
export const IMAGE_CACHE =
  process.env.AUTOCERT_IMAGE_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'autocert-image');

/** Libraries that Node loads, the shell, and the files that say which Debian this is, with the texts of its licences. */
const PACKAGES = ['libc6', 'libstdc++6', 'libgcc-s1', 'busybox-static', 'base-files'];

/** Node for the image. */
export interface NodeProgram {
  readonly version: string;
  readonly sha256: string;
  readonly content: Buffer;
  readonly license: Buffer;
}

/** What the image is made of, besides what is built here. */
export interface ImageIngredients {
  readonly platform: Platform;
  readonly node: NodeProgram;
  readonly packages: readonly DebianPackage[];
}

/** What is pinned for one architecture. */
export interface ImagePins {
  readonly node: { readonly version: string; readonly sha256: string };
  readonly packages: readonly PackagePin[];
}

/**
 * Gets them; downloads what is not in the cache.
 * @param choice `newest` pins them as well
 * @param target which machines the image is for
 */
export async function imageIngredients(
  choice: PackageChoice = 'pinned',
  target: Platform = platform(),
  warn: (text: string) => void = console.warn,
): Promise<ImageIngredients> {
  const all = readJson<Readonly<Record<string, ImagePins>>>(PINS);
  const { architecture } = target;
  const own = architecture === platform().architecture;
  const pins = all[architecture];
  const node = own ? readNode() : await foreignNode(target, nodeVersion(), IMAGE_CACHE);
  if (choice !== 'newest') checkNode(node, pins?.node);
  const lists = own ? 'apt' : `apt-${architecture}`;
  const source = new Apt(join(IMAGE_CACHE, lists), own ? undefined : architecture);
  const packages = await takePackages(PACKAGES, pins?.packages ?? [], choice, { source, cache: IMAGE_CACHE, warn });
  if (choice === 'newest') {
    const made: ImagePins = {
      node: { version: node.version, sha256: node.sha256 },
      packages: packages.map(({ name, version, sha256 }) => ({ name, version, sha256 })),
    };
    writeFileSync(join(ROOT, PINS), `${JSON.stringify({ ...all, [architecture]: made }, undefined, 2)}\n`);
  }
  return { platform: target, node, packages };
}

function nodeVersion(): string {
  return readJson<{ version: string }>(`${NODE}/package.json`).version;
}

/** That of the npm package `node`, which `npm ci` brings; its program comes from another package by an install script. */
function readNode(): NodeProgram {
  const content = readFileSync(join(ROOT, NODE, 'bin/node'));
  return {
    version: nodeVersion(),
    sha256: sha256(content),
    content,
    license: readFileSync(join(ROOT, NODE, 'node_modules', platform().nodePackage, 'LICENSE')),
  };
}

/**
 * package-lock.json pins the version of Node, but not the bytes of its program: npm checks those of packages that the file
 * lists, and the one with the program is installed by a script.
 * @throws Error for another program than the one that is pinned
 */
export function checkNode(node: Pick<NodeProgram, 'version' | 'sha256'>, pin: ImagePins['node'] | undefined): void {
  if (pin?.version !== node.version) {
    throw new Error(
      `Node ${node.version} is installed, but scripts/image-packages.json has ${pin?.version ?? 'none for this architecture'}: \`npm ci\` installs that of package-lock.json; after an update of the npm package, \`npm run image -- --update-packages\` pins it`,
    );
  }
  if (pin.sha256 === node.sha256) return;
  throw new Error(
    `Node's program has SHA-256 ${node.sha256}, but scripts/image-packages.json says ${pin.sha256} for Node ${pin.version}: it is not the same program, and is not used; \`npm ci\` installs it anew, and for another architecture it is in ${IMAGE_CACHE}`,
  );
}

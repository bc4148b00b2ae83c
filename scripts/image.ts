/**
 * `npm run image`: writes the container image of this project, without Docker, to `build/autocert-image.tar`. Three layers:
 * Node, which seldom changes, a shell, and the bundles.
 *
 * `npm run image -- --tag registry.example/autocert:1.0 --output /tmp/image.tar` names it otherwise.
 * `npm run image -- --root /tmp/root` writes its files into a folder instead, without the libraries that Node loads: the
 * Dockerfile puts them on an image that has these.
 * @module
 */
import { execFile } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { type Image, writeImages } from './docker-archive.ts';
import { baseFiles, copyOf, findOnPath, isStatic, link, program, textFile, writeFiles } from './root-files.ts';
import type { TarEntry } from './tar.ts';

const ROOT = join(import.meta.dirname, '..');
const USER = { name: 'nonroot', id: 65532, home: '/' };

/** Programs of the image that Node runs; `step` is `autocert` under the name that the tutorial's commands use. */
const PROGRAMS = { 'autocert-agent-worker': 'agent.cjs', autocert: 'autocert.cjs', step: 'autocert.cjs' } as const;

/** What the agent's script needs of a shell; all of it is one busybox, which the CA's pod copies, with its own script. */
const APPLETS = ['sh', 'sleep', 'date', 'rm'] as const;

/**
 * How programs start Node. Each trusts the roots that it is given and no others; without the flag Node would parse the
 * hundred and more that it brings along, in a thread beside the program, before it ends: a tenth of an agent's start.
 */
const INTERPRETER = '#!/usr/local/bin/node --use-openssl-ca';

const NODE = join(ROOT, 'node_modules/node/bin/node');

/** How the image runs. The Dockerfile says the same. */
export const IMAGE_CONFIG = {
  Entrypoint: ['/usr/local/bin/autocert'],
  Cmd: ['--help'],
  Env: ['PATH=/usr/local/bin:/bin', 'NODE_ENV=production'],
  User: `${USER.id}:${USER.id}`,
  WorkingDir: '/',
} as const;

/** Node with what it needs to run: the lower layer, also of the hello-mtls images of the end-to-end tests. */
export function nodeLayer(): TarEntry[] {
  return [...baseFiles(USER), ...program(NODE, '/usr/local/bin/node')];
}

/** The image, from what `npm run build` wrote. */
export function autocertImage(tags: readonly string[], node: readonly TarEntry[] = nodeLayer()): Image {
  return { tags, layers: [node, shellFiles(), ownFiles()], config: IMAGE_CONFIG };
}

/** Writes the image's files into a folder, but for what Node loads and what every Linux has. */
export function writeRoot(root: string): void {
  writeFiles(root, [copyOf(NODE, '/usr/local/bin/node', 0o755), ...shellFiles(), ...ownFiles()]);
}

/**
 * Where this machine has a busybox that needs no libraries.
 * @throws Error that says how to get one
 */
export function staticBusybox(path = findOnPath('busybox')): string {
  const remedy = 'agent and CA need a static one; on Debian: apt-get install busybox-static';
  if (path === undefined) throw new Error(`busybox is not on PATH: ${remedy}`);
  if (!isStatic(path)) throw new Error(`${path} loads shared libraries: ${remedy}`);
  return path;
}

/** A shell for the agent, which sleeps in it. */
function shellFiles(): TarEntry[] {
  const links = APPLETS.map((name) => link(`/bin/${name}`, '/bin/busybox'));
  return [copyOf(staticBusybox(), '/bin/busybox', 0o755), ...links];
}

function ownFiles(): TarEntry[] {
  const bundles = [...new Set(Object.values(PROGRAMS))];
  return [
    ...bundles.map((name) => copyOf(join(ROOT, 'build', name), `/app/${name}`)),
    ...Object.entries(PROGRAMS).map(([name, bundle]) =>
      textFile(`/usr/local/bin/${name}`, `${INTERPRETER}\nrequire('/app/${bundle}');\n`, 0o755),
    ),
    copyOf(join(ROOT, 'build/agent.sh'), '/usr/local/bin/autocert-agent', 0o755),
    copyOf(join(ROOT, 'build/ca.sh'), '/usr/local/share/autocert/ca.sh', 0o755),
  ];
}

/** `autocert:<version of this package>`: the tag that the manifests name by default. */
export function defaultTag(): string {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  return `autocert:${version}`;
}

/** Builds the bundles that the image holds. */
export async function buildBundles(): Promise<void> {
  await promisify(execFile)(process.execPath, [join(ROOT, 'scripts/build.ts')]);
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      tag: { type: 'string', multiple: true },
      output: { type: 'string', default: join(ROOT, 'build/autocert-image.tar') },
      root: { type: 'string' },
    },
  });
  await buildBundles();
  if (values.root === undefined) {
    const tags = values.tag ?? [defaultTag()];
    const id = writeImages(values.output, [autocertImage(tags)]);
    const size = Math.round(statSync(values.output).size / 1e6);
    console.log(`${values.output}: ${tags.join(', ')} (${size} MB, ${id.slice(0, 12)})`);
  } else writeRoot(values.root);
}

/**
 * `npm run image`: writes the container image of this project, without Docker, to `build/autocert-image.tar`. Two layers: Node,
 * which seldom changes, and the bundles.
 *
 * `npm run image -- --tag registry.example/autocert:1.0 --output /tmp/image.tar` names it otherwise.
 * @module
 */
import { execFile } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { type Image, writeImages } from './docker-archive.ts';
import { baseFiles, copyOf, program, textFile } from './root-files.ts';
import type { TarEntry } from './tar.ts';

const ROOT = join(import.meta.dirname, '..');
const USER = { name: 'nonroot', id: 65532, home: '/' };

/** Programs of the image; `step` is `autocert` under the name that the tutorial's commands use. */
const PROGRAMS = { 'autocert-agent': 'agent.cjs', autocert: 'autocert.cjs', step: 'autocert.cjs' } as const;

/**
 * How programs start Node. Each trusts the roots that it is given and no others; without the flag Node would parse the
 * hundred and more that it brings along, in a thread beside the program, before it ends: a tenth of an agent's start.
 */
const INTERPRETER = '#!/usr/local/bin/node --use-openssl-ca';

/** Node with what it needs to run: the lower layer, also of the hello-mtls images of the end-to-end tests. */
export function nodeLayer(): TarEntry[] {
  return [...baseFiles(USER), ...program(join(ROOT, 'node_modules/node/bin/node'), '/usr/local/bin/node')];
}

/** The image, from the bundles that `npm run build` wrote. */
export function autocertImage(tags: readonly string[], node: readonly TarEntry[] = nodeLayer()): Image {
  const bundles = [...new Set(Object.values(PROGRAMS))].map((name) =>
    copyOf(join(ROOT, 'build', name), `/app/${name}`),
  );
  const programs = Object.entries(PROGRAMS).map(([name, bundle]) =>
    textFile(`/usr/local/bin/${name}`, `${INTERPRETER}\nrequire('/app/${bundle}');\n`, 0o755),
  );
  return {
    tags,
    layers: [node, [...bundles, ...programs]],
    config: {
      Entrypoint: ['/usr/local/bin/autocert'],
      Cmd: ['--help'],
      Env: ['PATH=/usr/local/bin', 'NODE_ENV=production'],
      User: `${USER.id}:${USER.id}`,
      WorkingDir: '/',
    },
  };
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
    },
  });
  const tags = values.tag ?? [defaultTag()];
  await buildBundles();
  const id = writeImages(values.output, [autocertImage(tags)]);
  const size = Math.round(statSync(values.output).size / 1e6);
  console.log(`${values.output}: ${tags.join(', ')} (${size} MB, ${id.slice(0, 12)})`);
}

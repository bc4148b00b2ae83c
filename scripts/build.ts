/**
 * `npm run build`: the bundles of the image and of the package, in `build/`.
 *
 * - `agent.sh`: what stays in pods; `agent.cjs`: the worker that it starts; small, so that it starts fast.
 * - `ca.sh`: what starts and stops step-ca in its container.
 * - `autocert.cjs`: every other program, and `npx autocert`.
 * - `constructs.cjs`: what other cdk8s apps import (`package/` has its types). cdk8s and its companions stay outside: an
 *   app must have one copy of each.
 * - `THIRD_PARTY_LICENSES`: the texts of what is in them; `bundled-packages.json`: what that is, for the bill of materials.
 * @module
 */
import { execFile } from 'node:child_process';
import { chmod, copyFile, glob, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { build, type Metafile, type Plugin } from 'esbuild';
import { pageFiles } from '../runtime/cli/dashboard/page-files.ts';
import { bundledPackages, licensesText } from './bundled-packages.ts';
import { ROOT, readJson } from './project-files.ts';

/** Oldest Node that the package runs on, as `engines` in package.json says; the image has its own. */
const OLDEST_NODE = Number.parseInt(readJson<{ engines: { node: string } }>('package.json').engines.node.slice(2), 10);
const TARGET = { programs: 'node24', package: `node${OLDEST_NODE}` } as const;

/** npm only warns when it installs for an older Node: so the program says it, in place of whatever breaks first. */
const PROGRAM_BANNER = `#!/usr/bin/env node
if (Number.parseInt(process.versions.node) < ${OLDEST_NODE}) {
  console.error('autocert: Node.js ' + process.versions.node + ' is too old: ${OLDEST_NODE} or later is needed');
  process.exit(1);
}`;

interface Bundle {
  readonly entry: string;
  readonly file: string;
  readonly target: string;
  readonly executable?: boolean;
  readonly external?: readonly string[];
}

const BUNDLES: readonly Bundle[] = [
  { entry: 'runtime/agent/main.ts', file: 'agent.cjs', target: TARGET.programs },
  { entry: 'runtime/cli/main.ts', file: 'autocert.cjs', target: TARGET.package, executable: true },
  {
    entry: 'constructs/index.ts',
    file: 'constructs.cjs',
    target: TARGET.package,
    external: ['cdk8s', 'cdk8s-plus-27', 'constructs'],
  },
];

/** The dashboard's page as it is made from its sources, in place of what makes it. */
const PAGE: Plugin = {
  name: 'page',
  setup({ onLoad }) {
    onLoad({ filter: /\/runtime\/cli\/dashboard\/page-files\.ts$/ }, async () => {
      const files = JSON.stringify(await pageFiles());
      return { contents: `export const pageFiles = async () => (${files});`, loader: 'js' };
    });
  },
};

async function bundle(
  out: string,
  { entry, file, target, executable = false, external = [] }: Bundle,
): Promise<Metafile> {
  const outfile = join(out, file);
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: [entry],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target,
    external: [...external],
    legalComments: 'none', // licensesText has the texts, of those packages, too, whose code has no comment
    preserveSymlinks: true, // a node_modules that is a link elsewhere must not show in the bundle
    metafile: true,
    plugins: [PAGE],
    logLevel: 'warning',
    ...(executable && { banner: { js: PROGRAM_BANNER } }),
  });
  if (executable) await chmod(outfile, 0o755);
  return metafile;
}

/** Types of the constructs, for whoever imports them. */
async function declarations(folder: string): Promise<void> {
  const manifest = createRequire(import.meta.url).resolve('typescript/package.json');
  await rm(folder, { recursive: true, force: true });
  const tsc = join(dirname(manifest), 'bin/tsc');
  await promisify(execFile)(process.execPath, [tsc, '-p', join(ROOT, 'tsconfig.build.json'), '--outDir', folder]);
  // The bundle that they describe is CommonJS, whatever the rest of this package is.
  await writeFile(join(folder, 'package.json'), `${JSON.stringify({ type: 'commonjs' })}\n`);
  for await (const file of glob('**/*.d.ts', { cwd: folder })) await importByJavaScriptName(join(folder, file));
}

/** tsc leaves `./x.ts` in declarations, which compilers before 5.0 do not understand; all understand `./x.js`. */
async function importByJavaScriptName(file: string): Promise<void> {
  const text = await readFile(file, 'utf8');
  await writeFile(file, text.replace(/((?:from |import\()'\.[^']*)\.ts'/g, "$1.js'"));
}

/** Writes all of them. */
export async function buildInto(out: string): Promise<void> {
  const [metafiles] = await Promise.all([
    Promise.all(BUNDLES.map((each) => bundle(out, each))),
    declarations(join(out, 'package')),
  ]);
  const packages = bundledPackages(ROOT, metafiles);
  await writeFile(join(out, 'THIRD_PARTY_LICENSES'), licensesText(packages));
  await writeFile(join(out, 'bundled-packages.json'), `${JSON.stringify(packages, undefined, 2)}\n`);
  for (const script of ['agent/agent.sh', 'supervisor/ca.sh']) {
    const file = join(out, basename(script));
    await copyFile(join(ROOT, 'runtime', script), file);
    await chmod(file, 0o755);
  }
}

if (import.meta.main) await buildInto(join(ROOT, 'build'));

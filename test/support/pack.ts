/**
 * Packs the project as `npm publish` would.
 * @module
 */
import { execFile } from 'node:child_process';
import { cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { buildInto } from '../../scripts/build.ts';

const ROOT = join(import.meta.dirname, '../..');
/** What `files` of package.json names, besides the bundles. */
const CONTENT = ['package.json', 'dist', 'examples', 'README.md', 'LICENSE', 'SECURITY.md', 'CHANGELOG.md'];

/**
 * Builds and packs in a folder of its own: others may be at work in the project's `build/`.
 * @param folder is made; the tarball is in it
 */
export async function pack(folder: string): Promise<{ readonly filename: string; readonly paths: readonly string[] }> {
  await mkdir(folder, { recursive: true });
  for (const name of CONTENT) await cp(join(ROOT, name), join(folder, name), { recursive: true });
  await buildInto(join(folder, 'build'));
  const options = ['--ignore-scripts', '--json', '--offline'];
  const { stdout } = await promisify(execFile)('npm', ['pack', ...options], { cwd: folder });
  const [{ filename, files }] = JSON.parse(stdout);
  return { filename, paths: files.map(({ path }: { path: string }) => path) };
}

/**
 * Node for machines of another architecture: that of this machine is in `node_modules`.
 * @module
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { NodeProgram } from './image-packages.ts';
import type { Platform } from './platform.ts';
import { sha256 } from './project-files.ts';

const TIMEOUT_MS = 300_000;

/** Gets it from npm's package of that architecture, or from the cache. Whether it is what was pinned is for the caller to see. */
export async function foreignNode({ nodePackage }: Platform, version: string, cache: string): Promise<NodeProgram> {
  const folder = join(cache, `${nodePackage}-${version}`);
  if (!existsSync(folder)) await download(`${nodePackage}@${version}`, cache, folder);
  const content = readFileSync(join(folder, 'bin/node'));
  return { version, sha256: sha256(content), content, license: readFileSync(join(folder, 'LICENSE')) };
}

/** Unpacked aside and moved into place: others may be at it. */
async function download(wanted: string, cache: string, folder: string): Promise<void> {
  mkdirSync(cache, { recursive: true });
  const aside = mkdtempSync(join(cache, 'node-'));
  const run = promisify(execFile);
  const options = { cwd: aside, timeout: TIMEOUT_MS };
  try {
    await run('npm', ['pack', '--loglevel=error', wanted], options);
    const tarball = readdirSync(aside).find((name) => name.endsWith('.tgz'));
    if (tarball === undefined) throw new Error(`npm pack ${wanted} wrote no tarball`);
    const content = ['package/bin/node', 'package/LICENSE'];
    await run('tar', ['-xzf', tarball, '--strip-components=1', '--no-same-owner', ...content], options);
    rmSync(join(aside, tarball));
    if (!existsSync(folder)) renameSync(aside, folder);
  } catch (cause) {
    throw new Error(`cannot get ${wanted}, Node for the image, from npm's registry`, { cause });
  } finally {
    rmSync(aside, { recursive: true, force: true });
  }
}

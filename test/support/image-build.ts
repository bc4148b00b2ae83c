/**
 * Builds the image from a copy of the project, as a clone elsewhere would.
 * @module
 */
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const ROOT = join(import.meta.dirname, '../..');
const SOURCES = ['scripts', 'runtime', 'constructs', 'dist', 'package.json', 'package-lock.json', 'LICENSE'];
const CONFIGURATION = ['tsconfig.json', 'tsconfig.build.json'];

/** Where npm has its settings from, and whom it trusts: its registry need not be the public one. */
const OF_NPM = /^(?:npm_config_|NODE_EXTRA_CA_CERTS$|SSL_CERT_)/;

/** Copies what the image is built from; `node_modules` is a link. */
export function copyProject(folder: string): void {
  mkdirSync(folder, { recursive: true });
  for (const each of [...SOURCES, ...CONFIGURATION]) cpSync(join(ROOT, each), join(folder, each), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
}

/**
 * Runs `npm run image` there. Debian's archive may have other versions than are pinned today; all builds then take the
 * same ones.
 * @param env all that it has of the environment, besides PATH and what npm goes by
 */
export function buildImage(
  folder: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  umask = '022',
): Promise<{ readonly stdout: string; readonly stderr: string }> {
  const command = `umask ${umask}; exec "$0" scripts/image.ts --allow-newer-packages "$@"`;
  return promisify(execFile)('sh', ['-c', command, process.execPath, ...args], {
    cwd: folder,
    env: { ...forNpm(), PATH: process.env.PATH, ...env },
  });
}

function forNpm(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => OF_NPM.test(name)));
}

/**
 * The page: its document, its style and its program. In a checkout they are made here, from their sources; `npm run build`
 * puts what this makes into the bundle in place of this file (`scripts/build.ts`), where neither sources nor esbuild are.
 * @module
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';

/** By their paths on the server. */
export interface PageFiles {
  readonly '/': string;
  readonly '/style.css': string;
  readonly '/page.js': string;
  readonly '/icon.svg': string;
}

/** Browsers of 2023 and later. */
const TARGET = 'es2022';

/** Reads and makes them. */
export async function pageFiles(): Promise<PageFiles> {
  const folder = join(import.meta.dirname, 'page');
  const read = (name: string) => readFile(join(folder, name), 'utf8');
  const [html, css, icon, script] = await Promise.all([
    read('index.html'),
    read('style.css'),
    read('icon.svg'),
    build({
      entryPoints: [join(folder, 'main.ts')],
      bundle: true,
      format: 'esm',
      target: TARGET,
      write: false,
      logLevel: 'warning',
    }),
  ]);
  return { '/': html, '/style.css': css, '/icon.svg': icon, '/page.js': script.outputFiles[0]?.text ?? '' };
}

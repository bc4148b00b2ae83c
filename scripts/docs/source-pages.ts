/**
 * Pages that show files and folders of the repository which the guides link to.
 * @module
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { extname, join, posix } from 'node:path';
import { codeBlock } from './code-block.ts';
import { escapeHtml } from './html.ts';
import type { Page } from './layout.ts';
import { outputPath } from './links.ts';

const LANGUAGES: Readonly<Record<string, string>> = {
  '.yaml': 'yaml',
  '.ts': 'ts',
  '.mjs': 'ts',
  '.go': 'go',
  '.sh': 'sh',
};

/** A page for each; for a folder also one for each file in it, though not for the folders in it. */
export function sourcePages(root: string, paths: Iterable<string>): readonly Page[] {
  return [...new Set(paths)].sort().flatMap((path) => {
    if (!statSync(join(root, path)).isDirectory()) return [filePage(root, path)];
    const files = readdirSync(join(root, path), { withFileTypes: true }).filter((entry) => entry.isFile());
    const names = files.map(({ name }) => name).sort();
    return [folderPage(path, names), ...names.map((name) => filePage(root, posix.join(path, name)))];
  });
}

function page(path: string, html: string): Page {
  const title = `<h1 id="source"><code>${escapeHtml(path)}</code></h1>\n`;
  const output = outputPath({ path, kind: 'source' });
  return { output, title: path, html: title + html, headings: [], hasDiagrams: false };
}

function filePage(root: string, path: string): Page {
  return page(path, codeBlock(readFileSync(join(root, path), 'utf8').trimEnd(), LANGUAGES[extname(path)] ?? 'file'));
}

function folderPage(path: string, names: readonly string[]): Page {
  const items = names.map((name) => {
    const href = `${posix.basename(path)}/${name}.html`;
    return `<li><a href="${escapeHtml(href)}">${escapeHtml(name)}</a></li>`;
  });
  return page(path, `<ul>${items.join('\n')}</ul>\n`);
}

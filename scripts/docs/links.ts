/**
 * Where links lead on the site.
 * @module
 */
import { posix } from 'node:path';

/** What is linked: a page of the site, or a file or folder of the repository that is shown as it is. */
export interface Target {
  /** Path in the repository. */
  readonly path: string;
  readonly kind: 'page' | 'source';
}

/** Path on the site of a page, or of the page that shows a source file or a folder. */
export function outputPath({ path, kind }: Target): string {
  if (kind === 'source') return `source/${path}.html`;
  return path.replace(/(?:\bREADME)?\.md$/, (end) => (end === '.md' ? '.html' : 'index.html'));
}

/** `../` as often as it takes from an output to the site's root; empty at the root. */
export function toRoot(output: string): string {
  return '../'.repeat(output.split('/').length - 1);
}

/** How a link is followed. */
export interface LinkOptions {
  /** Path of the page that has it. */
  readonly from: string;
  /** Whether the site has this page. */
  readonly isPage: (path: string) => boolean;
  /** Told of each file or folder that is to be shown. */
  readonly onSource?: (path: string) => void;
}

/** A link of Markdown as the site has it: between pages, to source that is shown, or out into the world. */
export function siteLink(href: string, { from, isPage, onSource = () => {} }: LinkOptions): string {
  if (/^(?:[a-z]+:|#)/i.test(href)) return href;
  const [relative = '', anchor] = href.split('#');
  const path = posix.join(posix.dirname(from), relative).replace(/\/$/, '');
  const page = [path, `${path}/README.md`].find(isPage);
  if (page === undefined) onSource(path);
  const target: Target = page === undefined ? { path, kind: 'source' } : { path: page, kind: 'page' };
  const here = posix.dirname(outputPath({ path: from, kind: 'page' }));
  return posix.relative(here, outputPath(target)) + (anchor === undefined ? '' : `#${anchor}`);
}

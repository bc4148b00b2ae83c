/**
 * The documentation as a site of static files, which needs no server and asks nobody for anything.
 * @module
 */
import { copyFile, cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, posix } from 'node:path';
import { build } from 'esbuild';
import type { Reporter } from '../../runtime/cli/reporter.ts';
import { headingsOf, plainText } from './headings.ts';
import { layout, type Page } from './layout.ts';
import { outputPath, siteLink } from './links.ts';
import { PAGES } from './navigation.ts';
import { render } from './render.ts';
import { type Section, searchIndex, sectionsOf } from './search-index.ts';
import { sourcePages } from './source-pages.ts';

/** What a page of the guides became, with the sections by which it is found. */
interface Guides {
  readonly pages: readonly Page[];
  readonly sections: readonly Omit<Section, 'id'>[];
  /** Files and folders that they link to. */
  readonly sources: ReadonlySet<string>;
}

/** Renders all guides. */
async function renderGuides(root: string): Promise<Guides> {
  const sources = new Set<string>();
  const labels = new Map(PAGES.map(({ path, label }) => [path, label]));
  const all = await Promise.all(
    PAGES.map(async ({ path }) => {
      const markdown = await readFile(join(root, path), 'utf8');
      const output = outputPath({ path, kind: 'page' });
      const options = { from: path, isPage: (of: string) => labels.has(of), onSource: (of: string) => sources.add(of) };
      const label = (href: string) => labels.get(posix.join(posix.dirname(path), href.split('#')[0] ?? ''));
      const rendered = render(markdown, { link: (href) => siteLink(href, options), label });
      const title = plainText(headingsOf(markdown)[0]?.text ?? path);
      return { page: { output, title, ...rendered }, sections: sectionsOf(markdown, output) };
    }),
  );
  return { pages: all.map(({ page }) => page), sections: all.flatMap(({ sections }) => sections), sources };
}

/** Writes pages below `out`, each in the frame. */
async function writePages(pages: readonly Page[], out: string, version: string): Promise<void> {
  for (const page of pages) {
    const file = join(out, page.output);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, layout(page, version));
  }
}

/** Style, script, the library that draws diagrams, and the search index: a script, for a page of a folder may load no other data. */
async function writeAssets(root: string, sections: Guides['sections'], out: string): Promise<void> {
  const assets = join(out, 'assets');
  const browser = join(import.meta.dirname, 'browser');
  await mkdir(assets, { recursive: true });
  for (const file of ['site.css', 'icon.svg']) await copyFile(join(browser, file), join(assets, file));
  const script = { entryPoints: [join(browser, 'site.js')], outfile: join(assets, 'site.js') };
  await build({ ...script, bundle: true, minify: true, format: 'iife', target: 'es2022', logLevel: 'warning' });
  await cp(join(root, 'docs/images'), join(out, 'docs/images'), { recursive: true }); // pages keep their paths, so links fit
  const mermaid = createRequire(import.meta.url).resolve('mermaid/package.json');
  await copyFile(join(dirname(mermaid), 'dist/mermaid.min.js'), join(assets, 'mermaid.min.js'));
  await writeFile(join(assets, 'search-index.js'), `globalThis.searchIndex=${searchIndex(sections)};\n`);
}

/** Writes the whole site, and says so a line a step. What was in `out` before goes. */
export async function buildSite(
  root: string,
  out: string,
  version: string,
  reporter: Reporter,
): Promise<readonly Page[]> {
  const guides = await reporter.step('render', async () => {
    const value = await renderGuides(root);
    return { line: `${value.pages.length} pages, ${value.sections.length} sections`, value };
  });
  const pages = await reporter.step('write', async () => {
    await rm(out, { recursive: true, force: true });
    const sources = sourcePages(root, guides.sources);
    const value = [...guides.pages, ...sources];
    await writePages(value, out, version);
    return { line: `with ${sources.length} pages of files that they link to`, value };
  });
  await reporter.step('assets', async () => {
    await writeAssets(root, guides.sections, out);
    return { line: 'style, script, search index, diagrams', value: undefined };
  });
  return pages;
}

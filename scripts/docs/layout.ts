/**
 * The frame around each page.
 * @module
 */
import { posix } from 'node:path';
import { type Heading, plainText } from './headings.ts';
import { escapeHtml } from './html.ts';
import { outputPath, toRoot } from './links.ts';
import { NAVIGATION, PAGES } from './navigation.ts';

/** What a page is made of. */
export interface Page {
  /** Path on the site. */
  readonly output: string;
  readonly title: string;
  readonly html: string;
  readonly headings: readonly Heading[];
  readonly hasDiagrams: boolean;
}

/** Runs before anything is drawn, so that the page does not flash in the other colours. */
const CHOSEN_THEME = `try{const t=localStorage.getItem('theme');if(t)document.documentElement.dataset.theme=t}catch{}`;

/** The whole document. */
export function layout(page: Page, version: string): string {
  const root = toRoot(page.output);
  const diagrams = page.hasDiagrams ? `<script src="${root}assets/mermaid.min.js" defer></script>\n` : '';
  const name = page.title === 'Autocert' ? page.title : `${page.title} · Autocert`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(name)}</title>
<link rel="icon" href="${root}assets/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="${root}assets/site.css">
<script>${CHOSEN_THEME}</script>
${diagrams}<script src="${root}assets/site.js" defer></script>
</head>
<body data-root="${root}">
<a class="skip" href="#content">Skip to the content</a>
<header class="top">
<button type="button" class="menu" aria-expanded="false" aria-controls="navigation">Menu</button>
<a class="brand" href="${root}index.html"><img src="${root}assets/icon.svg" alt="" width="22" height="22">Autocert</a>
<button type="button" class="search" hidden>Search <kbd>/</kbd></button>
<button type="button" class="theme" hidden>Theme</button>
</header>
<div class="frame">
<nav id="navigation" class="side pages" aria-label="Pages">
${navigation(page.output)}
</nav>
<main id="content" tabindex="-1">
<article>
${page.html}</article>
${neighbours(page.output)}
<footer>Autocert ${escapeHtml(version)}, Apache-2.0</footer>
</main>
${outline(page.headings)}
</div>
<dialog class="searching" aria-label="Search">
<form method="dialog" role="search">
<input type="search" placeholder="Search the documentation" aria-label="Search the documentation" autocomplete="off" spellcheck="false">
<button value="close">Close</button>
</form>
<p class="told" role="status"></p>
<ol class="found"></ol>
</dialog>
</body>
</html>
`;
}

function href(from: string, path: string): string {
  return posix.relative(posix.dirname(from), outputPath({ path, kind: 'page' }));
}

function navigation(output: string): string {
  return NAVIGATION.map(({ title, entries }) => {
    const items = entries.map(({ path, label }) => {
      const current = outputPath({ path, kind: 'page' }) === output ? ' aria-current="page"' : '';
      return `<li><a href="${href(output, path)}"${current}>${escapeHtml(label)}</a></li>`;
    });
    return `<h2>${escapeHtml(title)}</h2>\n<ul>${items.join('\n')}</ul>`;
  }).join('\n');
}

function neighbours(output: string): string {
  const at = PAGES.findIndex(({ path }) => outputPath({ path, kind: 'page' }) === output);
  if (at === -1) return '';
  const link = (of: (typeof PAGES)[number] | undefined, rel: string, word: string) =>
    of === undefined
      ? '<span></span>'
      : `<a rel="${rel}" href="${href(output, of.path)}"><small>${word}</small>${escapeHtml(of.label)}</a>`;
  return `<nav class="neighbours" aria-label="Neighbours">${link(PAGES[at - 1], 'prev', 'Before')}${link(PAGES[at + 1], 'next', 'Next')}</nav>`;
}

function outline(headings: readonly Heading[]): string {
  const shown = headings.filter(({ level }) => level === 2 || level === 3);
  if (shown.length < 2) return '';
  const items = shown.map(
    ({ level, slug, text }) => `<li class="level-${level}"><a href="#${slug}">${escapeHtml(plainText(text))}</a></li>`,
  );
  return `<nav class="side outline" aria-label="On this page">\n<h2>On this page</h2>\n<ul>${items.join('\n')}</ul>\n</nav>`;
}

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import MiniSearch from 'minisearch';
import { headingsOf } from '../../../../scripts/docs/headings.ts';
import { layout } from '../../../../scripts/docs/layout.ts';
import { outputPath, siteLink, toRoot } from '../../../../scripts/docs/links.ts';
import { PAGES } from '../../../../scripts/docs/navigation.ts';
import { render } from '../../../../scripts/docs/render.ts';
import { searchIndex, sectionsOf } from '../../../../scripts/docs/search-index.ts';
import { SEARCH_OPTIONS } from '../../../../scripts/docs/search-options.ts';

const ROOT = join(import.meta.dirname, '../../../..');

describe('the navigation', () => {
  const paths = PAGES.map(({ path }) => path);

  test('has each page of docs/ and each page beside README.md exactly once', () => {
    const inDocs = readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' }).map((file) => `docs/${file}`);
    const all = [...inDocs, ...readdirSync(ROOT)].filter((file) => file.endsWith('.md'));
    expect(paths.filter((path) => !path.startsWith('examples/')).sort()).toEqual(all.sort());
    expect(new Set(paths).size).toBe(paths.length);
  });

  test('has no page that is not there, and no two of one label', () => {
    expect(paths.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
    expect(new Set(PAGES.map(({ label }) => label)).size).toBe(PAGES.length);
  });
});

describe('anchors', () => {
  test.each([
    ['## Replacing the root', 'replacing-the-root'],
    ["### The API server's certificate", 'the-api-servers-certificate'],
    ['## `autocert pki` and [more](x.md)', 'autocert-pki-and-more'],
    ['# A — dash', 'a--dash'],
    ['## Über_uns 2.0', 'über_uns-20'],
  ])('are those of GitHub: %s', (heading, slug) => {
    expect(headingsOf(heading).map((one) => one.slug)).toEqual([slug]);
  });

  test('are unique in a page', () => {
    expect(headingsOf('## Same\n## Same\n## Same\n').map(({ slug }) => slug)).toEqual(['same', 'same-1', 'same-2']);
  });

  test('are none of code, however it is indented', () => {
    const page = '# Page\n\n```sh\n# no heading\n```\n\n1. One\n\n   ```yaml\n# nor this\n   ```\n\n## Two\n';
    expect(headingsOf(page).map(({ slug }) => slug)).toEqual(['page', 'two']);
  });

  test('are the same in the page that is rendered', () => {
    const { html, headings } = render('# `A`\n## B [c](d.md)\n## B c\n', { link: (href) => href });
    expect([...html.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id)).toEqual(headings.map(({ slug }) => slug));
  });
});

describe('a link', () => {
  const isPage = (path: string) => ['README.md', 'docs/a.md', 'docs/b.md', 'examples/x/README.md'].includes(path);
  const sources: string[] = [];
  const follow = (from: string, href: string) =>
    siteLink(href, { from, isPage, onSource: (path) => sources.push(path) });

  test.each([
    ['docs/a.md', 'b.md#part', 'b.html#part'],
    ['docs/a.md', '../README.md', '../index.html'],
    ['README.md', 'docs/a.md', 'docs/a.html'],
    ['docs/a.md', '../examples/x', '../examples/x/index.html'],
    ['docs/a.md', '../examples/x/', '../examples/x/index.html'],
    ['docs/a.md', '#part', '#part'],
    ['docs/a.md', 'https://example.com/b.md', 'https://example.com/b.md'],
  ])('of %s to %s leads to %s', (from, href, link) => {
    expect(follow(from, href)).toBe(link);
    expect(sources).toEqual([]);
  });

  test('to a file that is no page leads to one that shows it', () => {
    expect(follow('docs/a.md', '../examples/sleep.yaml')).toBe('../source/examples/sleep.yaml.html');
    expect(sources).toEqual(['examples/sleep.yaml']);
  });

  test('to the root is as long as the way down', () => {
    expect(outputPath({ path: 'examples/x/README.md', kind: 'page' })).toBe('examples/x/index.html');
    expect(toRoot('examples/x/index.html')).toBe('../../');
    expect(toRoot('index.html')).toBe('');
  });
});

describe('a rendered page', () => {
  const link = (href: string) => `/site/${href}`;
  const label = (href: string) => ({ 'ca.md': 'The CA' })[href.split('#')[0] ?? ''];
  const html = (markdown: string) => render(markdown, { link, label }).html;

  test('has no comment, and shows other HTML as it is written', () => {
    const page = html('<!-- e2e: 1.1 -->\n```sh\nls\n```\n\n<script>alert(1)</script>\n\nA <b onclick="x">word</b>.\n');
    expect(page).not.toMatch(/<!--|<script|<b |e2e/);
    expect(page).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
    expect(page).toContain('A &lt;b onclick=&quot;x&quot;&gt;word&lt;/b&gt;.');
  });

  test('has code as it is, comments set apart, and a button for what one types but not for what is printed', () => {
    expect(html('```sh\na "<b>" # why\n```')).toContain('a &quot;&lt;b&gt;&quot; <i># why</i>');
    expect(html('```sh\nls\n```')).toContain('class="copy"');
    expect(html('```text\nprinted\n```')).not.toContain('class="copy"');
  });

  test('has tables without empty headings, and links that are followed', () => {
    const page = html('| a | |\n| --- | --- |\n| [b](c.md) | d |\n');
    expect(page).toContain('<thead><tr><th scope="col">a</th><td></td></tr></thead>');
    expect(page).toContain('<a href="/site/c.md">b</a>');
  });

  test('calls a page by its name where Markdown has the name of the file', () => {
    expect(html('[ca.md](ca.md#a), [docs/ca.md](ca.md), [ours](ca.md), [x.md](x.md)')).toContain(
      '<a href="/site/ca.md#a">The CA</a>, <a href="/site/ca.md">The CA</a>, <a href="/site/ca.md">ours</a>, <a href="/site/x.md">x.md</a>',
    );
  });

  test('has long names in code that may end at their joints', () => {
    expect(html('`a_b.c/d <x> -o`')).toContain('<code>a_<wbr>b.<wbr>c/<wbr>d &lt;x&gt; -o</code>');
  });

  test('ends a table where a comment is', () => {
    const page = html('<!-- props: P -->\n| a |\n| --- |\n| b |\n<!-- end of props -->\n\nAfter.\n');
    expect(page.match(/<tr>/g)).toHaveLength(2);
    expect(page).toContain('<p>After.</p>');
  });

  test('says where it is in the navigation, and what comes before and after', () => {
    const output = 'docs/tutorial.html';
    const page = layout({ output, title: 'T', html: '', headings: [], hasDiagrams: false }, '1.0.0');
    expect(page).toContain('<a href="tutorial.html" aria-current="page">Tutorial</a>');
    expect(page).toContain('<a rel="prev" href="install.html">');
    expect(page).not.toContain('mermaid');
  });
});

describe('search', () => {
  const page =
    '# Page\n\nAbout `caBundle`.\n\n## Other *words*\n\n| a | b |\n| --- | --- |\n| left | right |\n\n```sh\n# comment\nrun --me\n```\n';
  const sections = sectionsOf(page, 'docs/page.html');

  test('knows each section with its text, code included, without its marks', () => {
    expect(sections).toEqual([
      { url: 'docs/page.html', page: 'Page', title: 'Page', text: 'About caBundle.' },
      {
        url: 'docs/page.html#other-words',
        page: 'Page',
        title: 'Other words',
        text: 'a b left right # comment run --me',
      },
    ]);
  });

  test.each([
    ['caBundle', 'docs/page.html'],
    ['cabund', 'docs/page.html'],
    ['other wordz', 'docs/page.html#other-words'],
  ])('for %s finds %s, from the index as it is written', (asked, url) => {
    const index = MiniSearch.loadJSON(searchIndex(sections), SEARCH_OPTIONS);
    expect(index.search(asked).map((found) => found.url)).toEqual([url]);
  });

  test('has each section of the guides under an anchor that is there', () => {
    for (const { path } of PAGES) {
      const markdown = readFileSync(join(ROOT, path), 'utf8');
      const anchors = sectionsOf(markdown, '')
        .slice(1)
        .map(({ url }) => url.slice(1));
      expect(anchors).toEqual(
        headingsOf(markdown)
          .slice(1)
          .map(({ slug }) => slug),
      );
    }
  });
});

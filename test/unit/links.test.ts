import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');

/** Every page of ours. */
const PAGES = [
  ...readdirSync(ROOT).map((file) => join(ROOT, file)),
  ...readdirSync(join(ROOT, 'docs')).map((file) => join(ROOT, 'docs', file)),
  join(ROOT, 'examples/hello-mtls/README.md'),
].filter((file) => file.endsWith('.md'));

const withoutCode = (markdown: string) => markdown.replaceAll(/^```[\s\S]*?^```$/gm, '');

/** The anchors of a page, as GitHub makes them of its headings. */
function anchorsOf(file: string): ReadonlySet<string> {
  const headings = [...withoutCode(readFileSync(file, 'utf8')).matchAll(/^#+ (.*)$/gm)].map(([, text = '']) => text);
  return new Set(
    headings.map((text) =>
      text
        .toLowerCase()
        .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

/** Links of a page that lead nowhere. */
function brokenLinks(page: string): readonly string[] {
  const text = withoutCode(readFileSync(page, 'utf8')).replaceAll(/`[^`]*`/g, '');
  const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link);
  return links.filter((link) => {
    if (/^[a-z]+:/.test(link)) return false;
    const [path = '', anchor] = link.split('#');
    const file = path === '' ? page : join(dirname(page), path);
    if (!existsSync(file)) return true;
    return anchor !== undefined && (statSync(file).isDirectory() || !anchorsOf(file).has(anchor));
  });
}

test('there are pages, with links', () => {
  expect(PAGES.length).toBeGreaterThan(20);
});

test.each(PAGES.map((page) => relative(ROOT, page)))(
  'each link of %s leads to a file, and to a heading in it',
  (page) => {
    expect(brokenLinks(join(ROOT, page))).toEqual([]);
  },
);

import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { headingsOf, withoutCode } from '../../scripts/docs/headings.ts';

const ROOT = join(import.meta.dirname, '../..');

/** Every page of ours. */
const PAGES = [
  ...readdirSync(ROOT).map((file) => join(ROOT, file)),
  ...readdirSync(join(ROOT, 'docs')).map((file) => join(ROOT, 'docs', file)),
  join(ROOT, 'examples/hello-mtls/README.md'),
].filter((file) => file.endsWith('.md'));

/** The anchors of a page, as GitHub makes them of its headings. */
const anchorsOf = (file: string) => new Set(headingsOf(readFileSync(file, 'utf8')).map(({ slug }) => slug));

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

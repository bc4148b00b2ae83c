import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { jest } from '@jest/globals';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { textReporter } from '../../runtime/cli/reporter.ts';
import type { Page as SitePage } from '../../scripts/docs/layout.ts';
import { buildSite } from '../../scripts/docs/site.ts';
import { ROOT } from '../../scripts/project-files.ts';
import { AXE, startBrowser } from '../support/browser.ts';
import { LONG } from '../support/long.ts';

/** Half a minute does on two quiet cores; a machine that has other work may take its time. */
const PATIENCE_MS = 600_000;
jest.setTimeout(PATIENCE_MS);
const WIDE = { width: 1280, height: 900 };
const PHONE = { width: 360, height: 740 };

/** What a look at a page has shown. */
interface Visit {
  readonly output: string;
  readonly ids: ReadonlySet<string>;
  readonly links: readonly string[];
  /** What axe found. */
  readonly light: readonly string[];
  readonly dark: readonly string[];
  /** Of what is there, on a phone. */
  readonly width: number;
}

let folder: string;
let browser: Browser;
let pages: readonly SitePage[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'autocert-docs-'));
  const silent = textReporter(() => {}, false);
  pages = await buildSite(ROOT, join(folder, 'site'), '1.0.0', silent);
  browser = await startBrowser();
});

afterAll(async () => {
  await browser.close();
  await rm(folder, { recursive: true });
});

const urlOf = (output: string) => pathToFileURL(join(folder, 'site', output)).href;

/** A tab, with all that it complained about and all that it asked for outside of the folder. */
async function tab(options: BrowserContextOptions = {}): Promise<{ page: Page; complaints: string[] }> {
  const page = await (await browser.newContext({ viewport: WIDE, ...options })).newPage();
  page.setDefaultTimeout(PATIENCE_MS / 5);
  const complaints: string[] = [];
  page.on('console', (message) => complaints.push(`${page.url()}: ${message.text()}`));
  page.on('pageerror', (error) => complaints.push(`${page.url()}: ${error.message}`));
  page.on('request', (request) => {
    if (!request.url().startsWith(pathToFileURL(folder).href)) complaints.push(`${page.url()} asks ${request.url()}`);
  });
  page.on('requestfailed', (request) => complaints.push(`${request.url()} is not there`));
  return { page, complaints };
}

/** Rows and entries that are like those before them. */
const ALIKE = ['tbody tr:nth-child(n + 4)', '#navigation li:nth-child(n + 3)', 'article li:nth-child(n + 6)'];

/** What axe has against the page as it is now. */
async function faults(page: Page, options: object): Promise<readonly string[]> {
  const context = { include: ['html'], exclude: ALIKE.map((selector) => [selector]) };
  const run = `axe.run(${JSON.stringify(context)}, ${JSON.stringify({ resultTypes: ['violations'], preload: false, ...options })})`;
  const serious = `violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')`;
  return page.evaluate(`${run}.then(({ violations }) => ${serious}.map(({ id, nodes }) => id + ': ' + nodes[0].html))`);
}

/** Of each element that axe looks at: where it stands, and what makes it look and act as it does. */
const KINDS = `[...document.querySelectorAll('body *:not(svg *, ${ALIKE.map((each) => `${each} *`).join()})')].map((element) =>
  [element.parentElement.tagName, element.tagName]
    .concat(['class', 'role', 'tabindex', 'data-language', 'aria-roledescription'].map((name) => element.getAttribute(name)))
    .join())`;
const judged = new Set<string>();

/** Whether the page has an element of a kind that no page before it had: all pages are made by one renderer. */
async function hasNews(page: Page): Promise<boolean> {
  const news = (await page.evaluate<string[]>(KINDS)).filter((kind) => !judged.has(kind));
  for (const kind of news) judged.add(kind);
  return news.length > 0;
}

/** What axe has against the page, and in the dark. */
async function judge(page: Page): Promise<Pick<Visit, 'light' | 'dark'>> {
  await page.addScriptTag({ path: AXE });
  const light = await faults(page, {});
  await page.emulateMedia({ colorScheme: 'dark' });
  return { light, dark: await faults(page, { runOnly: ['color-contrast'] }) };
}

/** Looks at a page as a reader with a wide screen, and with a phone. */
async function visit(page: Page, output: string): Promise<Visit> {
  await page.setViewportSize(WIDE);
  await page.emulateMedia({ colorScheme: 'light' });
  await page.goto(urlOf(output));
  const diagrams = page.locator('figure.diagram');
  const count = await diagrams.count();
  if (count > 0)
    await page
      .locator('.drawing svg')
      .nth(count - 1)
      .waitFor();
  const ids = await page.evaluate<string[]>(`[...document.querySelectorAll('[id]')].map(({ id }) => id)`);
  const links = await page.evaluate<string[]>(
    `[...document.querySelectorAll('a[href], link[href]')].map(({ href }) => href)`,
  );
  const found = (await hasNews(page)) || LONG ? await judge(page) : { light: [], dark: [] };
  await page.setViewportSize(PHONE);
  const width = await page.evaluate<number>('document.documentElement.scrollWidth');
  return { output, ids: new Set(ids), links, ...found, width };
}

describe('every page', () => {
  const visits: Visit[] = [];
  const complaints: string[] = [];
  beforeAll(async () => {
    const [one, other] = [await tab(), await tab()];
    // As many at once as most machines have cores.
    const todo = [...pages];
    const visitAll = async (page: Page) => {
      for (let next = todo.shift(); next !== undefined; next = todo.shift())
        visits.push(await visit(page, next.output));
    };
    await Promise.all([visitAll(one.page), visitAll(other.page)]);
    complaints.push(...one.complaints, ...other.complaints);
  });

  test('complains of nothing, and asks nobody outside', () => expect(complaints).toEqual([]));

  test('has links that lead somewhere', () => {
    const anchors = new Map(visits.map(({ output, ids }) => [urlOf(output), ids]));
    const links = visits.flatMap(({ output, links }) => links.map((to) => ({ from: output, to })));
    const broken = links.filter(({ to }) => {
      const [url = '', anchor = 'content'] = to.split('#');
      if (!url.startsWith('file:') || url.includes('/assets/')) return false;
      return !anchors.get(url)?.has(decodeURIComponent(anchor));
    });
    expect(links.length).toBeGreaterThan(1000);
    expect(broken).toEqual([]);
  });

  test.each(['light', 'dark'] as const)('is made of nothing in which axe finds something serious, %s', (colours) => {
    expect(visits.flatMap((one) => one[colours].map((fault) => `${one.output}: ${fault}`))).toEqual([]);
  });

  test('is as wide as a phone on a phone', () => {
    expect(visits.filter(({ width }) => width !== PHONE.width).map(({ output }) => output)).toEqual([]);
  });
});

test('a diagram is drawn, and again when the colours change', async () => {
  const { page, complaints } = await tab({ colorScheme: 'light' });
  await page.goto(urlOf('docs/federation.html'));
  const drawing = page.locator('.drawing svg');
  const light = await drawing.getAttribute('id');
  expect(await drawing.textContent()).toContain('mutual TLS');
  await page.emulateMedia({ colorScheme: 'dark' });
  await page.waitForFunction(`document.querySelector('.drawing svg').id !== '${light}'`);
  expect(complaints).toEqual([]);
});

test('search opens by a key, finds "caBundle", and leads to a section that has it', async () => {
  const { page, complaints } = await tab();
  await page.goto(urlOf('docs/tutorial.html'));
  await page.keyboard.press('/');
  await page.keyboard.type('caBundle');
  await page.locator('.found a').first().waitFor();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await page.waitForURL((url) => !url.pathname.endsWith('/docs/tutorial.html'));
  expect(await page.locator('article').textContent()).toContain('caBundle');
  expect(complaints).toEqual([]);
});

test('a command is copied as it is printed', async () => {
  const { page } = await tab({ permissions: ['clipboard-read', 'clipboard-write'] });
  await page.goto(urlOf('docs/tutorial.html'));
  const block = page.locator('.code[data-language="commands"]').first();
  await block.hover();
  await block.getByRole('button', { name: 'Copy' }).click();
  await block.getByRole('button', { name: 'Copied' }).waitFor();
  expect(await page.evaluate('navigator.clipboard.readText()')).toBe(await block.locator('code').textContent());
});

test('on a phone the pages are behind a button', async () => {
  const { page } = await tab({ viewport: PHONE });
  await page.goto(urlOf('index.html'));
  const navigation = page.getByRole('navigation', { name: 'Pages' });
  expect(await navigation.isVisible()).toBe(false);
  await page.getByRole('button', { name: 'Menu' }).click();
  await navigation.getByRole('link', { name: 'Tutorial' }).click();
  await page.waitForURL(urlOf('docs/tutorial.html'));
  expect(await navigation.isVisible()).toBe(false);
});

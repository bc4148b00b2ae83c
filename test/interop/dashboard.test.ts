/** The page of `autocert dashboard` in a real browser. */

import { readFileSync } from 'node:fs';
import type { AxeResults } from 'axe-core';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { background, waitFor } from '../../scripts/cluster/shell.ts';
import { AXE, startBrowser } from '../support/browser.ts';
import {
  DashboardWorld,
  type RunningDashboard,
  runDashboard,
  SHOWN,
  type WorldPod,
} from '../support/dashboard-world.ts';

const PATIENCE = { timeout: 20_000 };
const DESK = { width: 1280, height: 800 };
const PHONE = { width: 360, height: 740 };
const HEALTHY: WorldPod = { namespace: 'shop', name: 'web-0', delivery: 'native', begins: -1, ends: 1 };

let browser: Browser;
let page: Page;
let dashboard: RunningDashboard | undefined;
/** What the page asked for, and what went wrong in it. */
let asked: string[];
let errors: string[];

beforeAll(async () => {
  browser = await startBrowser();
}, 60_000);
afterAll(() => browser.close());
afterEach(async () => {
  await page.context().close();
  await dashboard?.stop();
  dashboard = undefined;
});

/** Opens the page, without motion, which a processor has to draw here. */
async function open(url: string, options: BrowserContextOptions = {}): Promise<void> {
  page = await browser.newPage({ reducedMotion: 'reduce', ...options });
  [asked, errors] = [[], []];
  page.on('request', (request) => asked.push(request.url()));
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
  page.on('dialog', (dialog) => errors.push(dialog.message()));
  await page.goto(url);
  await page.locator('main[aria-busy="false"]').waitFor(PATIENCE);
}

/** Starts a dashboard and opens it. */
async function look(world: DashboardWorld, options: BrowserContextOptions = {}): Promise<void> {
  dashboard = await runDashboard(world);
  await open(dashboard.url, options);
}

const says = (selector: string, text: string | RegExp) =>
  page.locator(selector).filter({ hasText: text }).first().waitFor(PATIENCE);
const row = (name: string) => page.getByRole('row', { name: new RegExp(name) });

describe('everybody can read it', () => {
  test.each([
    ['with problems', SHOWN, [DESK, PHONE]],
    ['without problems', [HEALTHY], [DESK]],
  ] as const)(
    '%s: axe finds nothing in light and dark, and nothing is wider than the screen',
    async (_, pods, sizes) => {
      // Without motion colours are judged as they are, and not in the middle of an animation.
      await look(new DashboardWorld(pods), { bypassCSP: true });
      await page.evaluate(readFileSync(AXE, 'utf8')); // a policy of the page lets no script tag in
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme });
        // Nothing but colours is otherwise in the dark.
        const rules = colorScheme === 'dark' ? { runOnly: ['color-contrast'] } : {};
        for (const size of sizes) {
          await page.setViewportSize(size);
          const { violations } = (await page.evaluate(`axe.run(${JSON.stringify(rules)})`)) as AxeResults;
          const found = violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]);
          expect([colorScheme, size, found]).toEqual([colorScheme, size, []]);
          const { scrollWidth, clientWidth } = await page.evaluate(() => {
            const { scrollWidth, clientWidth } = document.documentElement;
            return { scrollWidth, clientWidth };
          });
          expect(scrollWidth).toBe(clientWidth);
        }
      }
      expect(errors).toEqual([]);
    },
    60_000,
  );

  test('by keyboard: past all of it to the pods, to the filter, to the namespaces', async () => {
    await look(new DashboardWorld(SHOWN));
    const focused = () =>
      page.evaluate(() => document.activeElement?.id || document.activeElement?.textContent?.trim() || '');
    const stops: string[] = [];
    for (let count = 0; count < 5; count += 1) {
      await page.keyboard.press('Tab');
      stops.push(await focused());
    }
    expect(stops).toEqual([
      'Skip to the pods',
      'filter',
      'bank 3 pods, 1 to look at',
      'monitoring 2 pods',
      'shop 4 pods, 1 to look at',
    ]);
    await page.keyboard.press('Enter');
    expect(await page.locator('#pod-table tbody tr').count()).toBe(4);
    expect(await page.getByRole('button', { pressed: true }).textContent()).toBe('shop 4 pods, 1 to look at');
    await page.keyboard.press('Enter');
    expect(await page.locator('#pod-table tbody tr').count()).toBe(9);
  }, 60_000);

  test('has landmarks, headings and tables with names', async () => {
    await look(new DashboardWorld(SHOWN));
    const headings = await page.getByRole('heading').allTextContents();
    expect(headings).toEqual(['Autocert', 'Problems', 'In figures', 'Chain of trust', 'Components', 'Pods']);
    for (const name of [/^Parts of Autocert/, /^Pods that ask/])
      expect(await page.getByRole('table', { name }).count()).toBe(1);
    for (const role of ['banner', 'main', 'contentinfo'] as const) expect(await page.getByRole(role).count()).toBe(1);
    expect(await page.getByRole('region', { name: 'Problems' }).getByRole('status').textContent()).toBe('2 errors');
  }, 60_000);

  test('without motion, where none is wanted', async () => {
    await look(new DashboardWorld([HEALTHY]), { reducedMotion: 'reduce' });
    const moving = await page.evaluate(() =>
      [...document.querySelectorAll('*')]
        .map((element) => getComputedStyle(element))
        .filter(({ animationName, transitionDuration }) => animationName !== 'none' || !/^0s/.test(transitionDuration)),
    );
    expect(moving).toEqual([]);
  }, 60_000);
});

describe('it is live', () => {
  const agent = (begins: number, ends: number, serial: string): WorldPod => ({
    namespace: 'shop',
    name: 'web-0',
    delivery: 'sidecar',
    begins,
    ends,
    serial,
  });

  test("a pod's expiry moves, and its renewal is seen", async () => {
    const world = new DashboardWorld([agent(-0.05, 0.05, 'aa11')]);
    await look(world);
    // Both at one moment, between two ticks.
    const shown = () =>
      page.evaluate(() => ({
        left: document.querySelector('#pod-table time')?.textContent ?? '',
        width: Number.parseFloat(document.querySelector<HTMLElement>('.life > .left')?.style.width ?? ''),
      }));
    const before = await shown();
    expect(before.left).toMatch(/^in \d+ (min|s)/);
    const hasMoved = (old: string) => document.querySelector('#pod-table time')?.textContent !== old;
    await page.waitForFunction(hasMoved, before.left, PATIENCE);
    expect((await shown()).width).toBeLessThan(before.width);
    world.setPods([agent(0, 2, 'bb22')]);
    await says('#news', 'shop/web-0 was renewed');
    await says('#pod-table', /in 1 h 59 min.*serial bb22/);
  }, 60_000);

  test('a problem comes first as soon as it is there, with its remedy, and goes with it', async () => {
    const world = new DashboardWorld([HEALTHY]);
    await look(world);
    await says('#verdict', 'Nothing is wrong');
    world.setPods([
      HEALTHY,
      { namespace: 'shop', name: 'web-1', delivery: 'sidecar', warning: 'no answer from the CA' },
    ]);
    await says('#problem-list', /shop\/pod\/web-1.*no answer from the CA.*Remedy: kubectl -n shop describe pod web-1/);
    expect(await page.locator('#pod-table tbody tr th').first().textContent()).toContain('web-1');
    expect(await page.title()).toBe('(1) Autocert');
    world.setPods([HEALTHY]);
    await says('#verdict', 'Nothing is wrong');
  }, 60_000);

  test('a cluster that does not answer is said, and how old the page is', async () => {
    const world = new DashboardWorld([HEALTHY]);
    await look(world);
    await says('#link', 'Live');
    world.answers = false;
    await says(
      '[role="alert"]',
      /The cluster does not answer: .*ECONNREFUSED.* What is shown here is of \d\d:\d\d:\d\d/,
    );
    expect(await row('web-0').count()).toBe(1);
    world.answers = true;
    await says('#link', 'Live');
    expect(await page.getByRole('alert').textContent()).toBe('');
  }, 60_000);

  test('the end of the program is said', async () => {
    await look(new DashboardWorld([HEALTHY]));
    await dashboard?.stop();
    dashboard = undefined;
    await says('[role="alert"]', /Connection lost: autocert dashboard has not answered since/);
    await says('#link', 'Connection lost');
  }, 60_000);

  test('who starts it again is told that the page has another address now', async () => {
    dashboard = await runDashboard(new DashboardWorld([HEALTHY]));
    await open(dashboard.url);
    await dashboard.stop();
    dashboard = await runDashboard(new DashboardWorld([HEALTHY]), {}, Number(new URL(dashboard.url).port));
    await says('[role="alert"]', /It was started again: open the address that it prints now/);
    await page.context().close();
    await open(dashboard.url);
    await says('#link', 'Live');
  }, 60_000);

  test('old data are said to be old', async () => {
    dashboard = await runDashboard(new DashboardWorld([HEALTHY]), { now: () => new Date(Date.now() - 90_000) });
    await open(dashboard.url);
    await says('#link', /^1 min 3\d s old/);
  }, 60_000);
});

describe('what others may write does nothing', () => {
  const HOSTILE = [
    '<img src=x onerror="window.owned=1">',
    '</td></table><script>window.owned=1</script>',
    '"><svg onload=alert(1)>',
    '__proto__',
    '<iframe srcdoc="<script>parent.owned=1</script>">',
    'javascript:alert(1)',
    '<link rel=stylesheet href=//evil.example/x.css>',
    '{{7*7}}<base href=//evil.example/>',
  ];

  test('names, namespaces and messages are shown as they are', async () => {
    const pods = HOSTILE.flatMap((text, index): WorldPod[] => [
      { namespace: text, name: `${text} ${index}`, delivery: 'native', denied: text },
      { namespace: 'shop', name: `${text} agent`, delivery: 'sidecar', warning: text },
    ]);
    await look(new DashboardWorld(pods));
    for (const text of HOSTILE) {
      expect(await page.locator('#pod-table th').getByText(`${text} agent`, { exact: true }).count()).toBe(1);
    }
    expect(await page.locator('#pod-table tbody tr').count()).toBe(pods.length);
    // A second look draws over what is there.
    await page.waitForResponse(/status\.json/, PATIENCE);
    const found = await page.evaluate(() => ({
      owned: 'owned' in window,
      polluted: Object.keys(Object.prototype),
      elements: document.querySelectorAll(
        'iframe, svg, object, embed, img:not(header img), script:not([src="page.js"])',
      ).length,
    }));
    expect(found).toEqual({ owned: false, polluted: [], elements: 0 });
    expect(errors).toEqual([]);
    expect(asked.filter((url) => !url.startsWith(dashboard?.url ?? '-'))).toEqual([]);
  }, 60_000);

  test('even a mistake of the page could not make markup of a text, or ask anything of another server', async () => {
    await look(new DashboardWorld([HEALTHY]));
    const outcome = await page.evaluate(async () => {
      const markup = await Promise.resolve()
        .then(() => {
          document.body.innerHTML = '<img src=x onerror="window.owned=1">';
        })
        .then(
          () => 'done',
          ({ name }) => name,
        );
      const elsewhere = await fetch('https://evil.example/').then(
        () => 'done',
        ({ name }) => name,
      );
      return [markup, elsewhere, 'owned' in window];
    });
    expect(outcome).toEqual(['TypeError', 'TypeError', false]);
    expect(errors.join('\n')).toMatch(/Content Security Policy/);
  }, 60_000);
});

test('npm start has the page, too: certificates are renewed before the eyes of who looks', async () => {
  const demo = background([process.execPath, 'runtime/cli/main.ts', 'start', '--json'], { env: { NODE_OPTIONS: '' } });
  try {
    const url = async () => /"step":"dashboard".*"url":"([^"]+)"/.exec(demo.output())?.[1];
    await open(await waitFor('the address of the page', url, { everyMs: 20, needs: [demo] }));
    await says('#news-list li', /default\/hello-mtls-\w+ was renewed/);
    await says('#tree', /Autocert Root CA.*Autocert Intermediate CA.*the webhook serves with it/);
    expect(errors).toEqual([]);
  } finally {
    await demo.stop('SIGTERM', 30_000);
  }
  expect([demo.child.exitCode, demo.child.signalCode]).toEqual([0, null]);
}, 60_000);

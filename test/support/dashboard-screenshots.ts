/**
 * The pictures in the docs, made again: `node test/support/dashboard-screenshots.ts`.
 * @module
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { startBrowser } from './browser.ts';
import { DashboardWorld, runDashboard, SHOWN } from './dashboard-world.ts';

const FOLDER = join(import.meta.dirname, '../../docs/images');
const SIZE = { width: 1040, height: 1290 };
/** One problem, so that there is room for what is well. */
const PODS = SHOWN.filter(({ delivery }) => delivery !== undefined);

mkdirSync(FOLDER, { recursive: true });
const [chromium, dashboard] = await Promise.all([startBrowser(), runDashboard(new DashboardWorld(PODS))]);
for (const colorScheme of ['light', 'dark'] as const) {
  const page = await chromium.newPage({ viewport: SIZE, colorScheme, reducedMotion: 'reduce' });
  await page.goto(dashboard.url);
  // By then the webhook's own certificate has been asked for, too.
  await page.locator('#tree').filter({ hasText: 'serves with it' }).waitFor();
  await page
    .locator('#link')
    .filter({ hasText: /^Live(, 1 s ago)?$/ })
    .waitFor();
  await page.screenshot({ path: join(FOLDER, `dashboard-${colorScheme}.png`) });
}
await Promise.all([chromium.close(), dashboard.stop()]);

/**
 * Debian's Chromium, headless.
 * @module
 */
import { createRequire } from 'node:module';
import { type Browser, chromium } from 'playwright-core';
import { program } from './programs.ts';

/** Starts it. */
export async function startBrowser(): Promise<Browser> {
  // Its sandbox takes rights that root in a container has not; letters without colours make small pictures.
  return chromium.launch({ executablePath: await program('chromium'), args: ['--no-sandbox', '--disable-lcd-text'] });
}

/** The file of axe, which judges what people get who do not see or point. */
export const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

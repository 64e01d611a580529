import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeReport } from '../../src/report/write-report.js';
import { tempDir } from '../helpers/temp-dir.js';
import { chromiumPath, desktop, drawn, open, openChromium, phone } from './chromium.js';
import { cellsOf, compareScreen, difference, isAlike } from './screens.js';
import { writeRun } from './write-run.js';

const kept = fileURLToPath(new URL('screens', import.meta.url));

describe.skipIf(chromiumPath === undefined)('the look of the page', () => {
  let browser: Browser;
  let url: string;
  beforeAll(async () => {
    const folder = tempDir();
    const file = join(folder, 'report.html');
    await writeReport([writeRun(join(folder, 'run'), { rows: 60 })], file);
    url = pathToFileURL(file).href;
    browser = await openChromium();
  });
  afterAll(() => browser?.close());

  const screens = (['learning', 'tokens', 'training'] as const).flatMap((part) =>
    [['desktop', desktop] as const, ['phone', phone] as const].flatMap(([size, viewport]) =>
      (['light', 'dark'] as const).map((colorScheme) => ({ part, size, viewport, colorScheme })),
    ),
  );

  // Small pictures of 40 by 50 cells are kept; UPDATE_SCREENS=1 makes them anew.
  it.each(screens)('$part, $size, $colorScheme', async ({ part, size, viewport, colorScheme }) => {
    const { page } = await open(browser, url, { viewport, colorScheme });
    await page.locator(`#${part}`).evaluate((section) => section.scrollIntoView({ block: 'start' }));
    await drawn(page);
    const found = await compareScreen(page, join(kept, `${part}-${size}-${colorScheme}.png`));
    expect(isAlike(found), JSON.stringify(found)).toBe(true);
  });

  it('tells a page from another: without its charts, its tints or its scheme it is not alike', async () => {
    const { page } = await open(browser, url);
    const shot = async () => cellsOf(page, await page.screenshot());
    const usual = await shot();
    expect(isAlike(difference(usual, usual))).toBe(true);
    await page.evaluate(() => document.querySelectorAll('canvas').forEach((one) => one.remove()));
    expect(isAlike(difference(usual, await shot()))).toBe(false);
    await page.emulateMedia({ colorScheme: 'dark' });
    expect(isAlike(difference(usual, await shot()))).toBe(false);
  });
});

// The picture of a report in the README, from a run of the quickstart:
//   npm run quickstart && npx tsx scripts/docs/report-picture.ts runs/quickstart
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { writeReport } from '../../src/report/write-report.js';
import { chromiumPath, open, openChromium } from '../../test/report/chromium.js';
import { root } from './comments.js';

const outputDir = process.argv[2];
if (outputDir === undefined) throw new Error('Expected the output folder of a run.');
if (chromiumPath === undefined) throw new Error('Expected a Chromium on PATH or at CHROMIUM_PATH.');
const images = join(root, 'docs', 'images');
await mkdir(images, { recursive: true });
const file = join(outputDir, 'report.html');
await writeReport([outputDir], file);
const browser = await openChromium();
try {
  const { page } = await open(browser, pathToFileURL(file).href, { viewport: { width: 1280, height: 860 } });
  await page.screenshot({ path: join(images, 'report.png') });
  await page.locator('#tokens').evaluate((part) => part.scrollIntoView({ block: 'start' }));
  await page.getByLabel('First', { exact: true }).selectOption('gained');
  const token = page.locator('.row').first().locator('.token[tabindex]').first();
  await token.focus();
  await page.setViewportSize({ width: 1100, height: 640 });
  await page.locator('#tokens').evaluate((part) => part.scrollIntoView({ block: 'start' }));
  await page.screenshot({ path: join(images, 'tokens.png') });
} finally {
  await browser.close();
}

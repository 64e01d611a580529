import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';

const names = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome', 'chrome'];

/** Path of a Chromium: CHROMIUM_PATH, or one on PATH; undefined where there is none. */
export const chromiumPath: string | undefined = find();

if (chromiumPath === undefined)
  console.warn(
    'There is no Chromium on PATH or at CHROMIUM_PATH: tests of the page in a browser are skipped.',
  );

function find(): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  const given = process.env['CHROMIUM_PATH'];
  const candidates = folders.flatMap((folder) => names.map((name) => join(folder, name)));
  return [...(given === undefined ? [] : [given]), ...candidates].find((file) => {
    try {
      accessSync(file, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Root, as in a container, has no sandbox. */
export const openChromium = (): Promise<Browser> =>
  chromium.launch({
    executablePath: chromiumPath!,
    args: [
      ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
      '--disable-gpu',
      '--font-render-hinting=none',
    ],
  });

/** A page, and everything it said or asked for that it should not have. */
export interface Watched {
  page: Page;
  complaints: string[];
}

export const desktop = { width: 1280, height: 800 };
export const phone = { width: 390, height: 844 };

/** Opens an address; errors, messages of the console and requests to anywhere else are complaints. */
export async function open(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<Watched> {
  const context = await browser.newContext({
    ...{
      viewport: desktop,
      colorScheme: 'light',
      reducedMotion: 'reduce',
      locale: 'en-US',
      timezoneId: 'UTC',
    },
    ...options,
  });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(`error: ${error.message}`));
  page.on('console', (message) => complaints.push(`console: ${message.text()}`));
  page.on('dialog', (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('request', (request) => {
    const at = request.url();
    if (
      !at.startsWith('data:') &&
      new URL(at).origin + new URL(at).pathname !== new URL(url).origin + new URL(url).pathname
    )
      complaints.push(`request: ${at}`);
  });
  await page.goto(url);
  await page.waitForSelector('main');
  await drawn(page);
  return { page, complaints };
}

/** Waits until the page has drawn what it was told: charts and lists are laid out in a frame, and seen in the next. */
export const drawn = (page: Page): Promise<void> =>
  page.evaluate('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done())))');

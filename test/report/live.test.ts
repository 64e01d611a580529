import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Dashboard } from '../../src/dashboard/dashboard.js';
import type { StartEvent, TrainingEvent } from '../../src/events/training-event.js';
import { RunControl } from '../../src/trainer/run-control.js';
import type { RunningTrainer } from '../../src/trainer/trainer-callback.js';
import { tempDir } from '../helpers/temp-dir.js';
import { chromiumPath, open, openChromium } from './chromium.js';
import { writeRun } from './write-run.js';

/** The events of a run that was written, to be told as if it went on. */
function eventsOf(steps: number): TrainingEvent[] {
  const dir = writeRun(tempDir(), { steps });
  return readFileSync(join(dir, 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as TrainingEvent);
}

describe.skipIf(chromiumPath === undefined)('the page of a run that goes on, in Chromium', () => {
  let browser: Browser;
  beforeAll(async () => void (browser = await openChromium()));
  afterAll(() => browser?.close());

  const statusOf = (page: Page) => page.locator('.live .where').textContent();
  const valuesOf = async (page: Page, title: string) => {
    const label = await page
      .locator('figure.chart', { hasText: title })
      .first()
      .locator('.plot')
      .getAttribute('aria-label');
    return Number(/(\d+) values/.exec(label ?? '')?.[1] ?? 0);
  };
  /** What the page itself asks its own server for is no complaint, nor is losing a server that was closed. */
  const serious = (complaints: string[]) =>
    complaints.filter((one) => !/request: http:\/\/127\.0\.0\.1|ERR_CONNECTION|ERR_INCOMPLETE/.test(one));

  it('takes up what comes, each step once, and shows the end', async () => {
    const events = eventsOf(120);
    const dashboard = await Dashboard.open({ outputDir: tempDir() });
    const at = events.findIndex((event) => event.type === 'step' && event.step === 50);
    for (const event of events.slice(0, at)) dashboard.onEvent(event);
    const { page, complaints } = await open(browser, dashboard.url);
    await expect.poll(() => valuesOf(page, 'Gradient norm')).toBe(49);
    await expect.poll(() => statusOf(page)).toContain('step 49 of 120');
    for (const event of events.slice(at)) dashboard.onEvent(event);
    await expect.poll(() => valuesOf(page, 'Gradient norm')).toBe(120);
    await expect.poll(() => page.locator('.badge').textContent()).toBe('completed');
    const last = events.findLast((event) => event.type === 'evaluate')!;
    expect(
      await page
        .locator('.groups data')
        .evaluateAll((all) => all.map((one) => Number((one as HTMLDataElement).value))),
    ).toContain(last.bySource['data/facts']!.loss);
    await dashboard.close();
    await expect.poll(() => statusOf(page)).toContain('ended');
    expect(await page.getByRole('button', { name: 'Pause' }).isDisabled()).toBe(true);
    expect(serious(complaints)).toEqual([]);
  });

  it('ten thousand steps are drawn while they come, and what is in the document stays bounded', async () => {
    const events = eventsOf(10_000);
    const dashboard = await Dashboard.open({ outputDir: tempDir() });
    for (const event of events.slice(0, 20)) dashboard.onEvent(event);
    const { page, complaints } = await open(browser, dashboard.url);
    for (let i = 20; i < events.length; i += 500) {
      for (const event of events.slice(i, i + 500)) dashboard.onEvent(event);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await expect.poll(() => valuesOf(page, 'Learning rate')).toBe(10_000);
    expect(await page.locator('*').count()).toBeLessThan(3000);
    expect(serious(complaints)).toEqual([]);
    await dashboard.close();
  });

  it('pauses, goes on, saves and stops by its buttons, and says what the run says', async () => {
    const events = eventsOf(30);
    const outputDir = tempDir();
    const dashboard = await Dashboard.open({ outputDir });
    const control = new RunControl();
    const trainer = {
      control,
      save: async () => join(outputDir, 'checkpoint-7'),
    } as unknown as RunningTrainer;
    const start = events.find((event): event is StartEvent => event.type === 'start')!;
    for (const event of events.slice(0, 10)) dashboard.onEvent(event);
    dashboard.onStart(start, trainer);
    const { page, complaints } = await open(browser, dashboard.url);
    const button = (name: string) => page.getByRole('button', { name });
    await button('Pause').focus();
    await page.keyboard.press('Enter');
    await expect.poll(() => statusOf(page)).toContain('paus');
    // The place of who uses the keyboard is kept.
    await expect.poll(() => page.evaluate(() => document.activeElement!.textContent)).toBe('Go on');
    await page.keyboard.press('Enter');
    await expect.poll(() => statusOf(page)).toContain('running');
    await button('Save now').click();
    await expect.poll(() => page.locator('.live [role=status]').textContent()).toContain('checkpoint-7');
    await button('Stop with a checkpoint').click();
    expect(dashboard.signal.aborted).toBe(false);
    await button('Really stop?').click();
    await expect.poll(() => dashboard.signal.aborted).toBe(true);
    await expect.poll(() => statusOf(page)).toContain('stopping');
    expect(serious(complaints)).toEqual([]);
    await dashboard.close();
  });
});

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EvalReport } from '../../src/events/eval-report.js';
import type { InspectReport } from '../../src/events/inspect-report.js';
import { EvalPage } from '../../src/inspect/eval-page.js';
import { evaluateModel } from '../../src/inspect/evaluate-model.js';
import { inspectDatasets } from '../../src/inspect/inspect-datasets.js';
import { InspectPage } from '../../src/inspect/inspect-page.js';
import { tempDir } from '../helpers/temp-dir.js';
import { sumsModel, sumsOptions } from '../inspect/sums-run.js';
import { chromiumPath, open, openChromium, phone } from './chromium.js';

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

let browser: Browser;
let inspected: { report: InspectReport; url: string };
let evaluated: { report: EvalReport; url: string };
const urlOf = (name: string) => (name === 'inspect' ? inspected : evaluated).url;

/** The exact numbers of each row of a table. */
const numbersOf = (page: Page, caption: string): Promise<number[][]> =>
  page.evaluate((name) => {
    const table = [...document.querySelectorAll('table')].find((one) => one.caption?.textContent === name)!;
    return [...table.tBodies[0]!.rows].map((row) =>
      [...row.querySelectorAll('data')].map(({ value }) => Number(value)),
    );
  }, caption);

describe.skipIf(chromiumPath === undefined)('pages of inspect and eval, in Chromium', () => {
  beforeAll(async () => {
    const folder = tempDir();
    const options = sumsOptions(folder);
    const [ofData, ofModel] = [new InspectPage(), new EvalPage()];
    const files = ['inspect.html', 'eval.html'].map((name) => join(folder, name)) as [string, string];
    const quiet = { progress: false };
    const data = await inspectDatasets(sumsModel(folder), options, { ...quiet, whileOpen: ofData.whileOpen });
    await ofData.write(data, files[0]);
    const against = sumsModel(folder, 2);
    const model = await evaluateModel(sumsModel(folder), options, {
      ...quiet,
      against,
      whileOpen: ofModel.whileOpen,
    });
    await ofModel.write(model, files[1]);
    inspected = { report: data, url: pathToFileURL(files[0]).href };
    evaluated = { report: model, url: pathToFileURL(files[1]).href };
    browser = await openChromium();
  }, 120_000);
  afterAll(() => browser?.close());

  it('inspect: each number is the one of the report', async () => {
    const { page, complaints } = await open(browser, inspected.url);
    expect(await numbersOf(page, 'What the model makes of each dataset')).toEqual(
      inspected.report.datasets.map(({ trainRows, judgedRows, nll, perplexity, inTop }) => [
        ...[trainRows, judgedRows, nll, perplexity],
        ...inTop.map(({ share }) => share),
      ]),
    );
    for (const { suggestion } of inspected.report.datasets)
      for (const reason of suggestion.reasons)
        expect(await page.getByText(reason).count()).toBeGreaterThan(0);
    expect(complaints).toEqual([]);
  });

  it('eval: each number is the one of the report', async () => {
    const { page, complaints } = await open(browser, evaluated.url);
    const { groups, bySource, byStyle, against } = evaluated.report;
    expect(await numbersOf(page, 'Each dataset and text to be kept')).toEqual(
      groups.map(({ rows, tokens, nllInterval, perplexity, correctInterval }) => [
        ...[rows, tokens, nllInterval.value, perplexity, correctInterval.value],
      ]),
    );
    for (const [caption, metrics] of [
      ['Held-out numbers by dataset', bySource],
      ['Held-out numbers by learning style', byStyle],
    ] as const)
      expect(await numbersOf(page, caption)).toEqual(
        Object.values(metrics).map((one) => [
          ...[one.rows, one.labelledTokens, one.loss, one.perplexity, one.tokenAccuracy, one.inTopKShare],
        ]),
      );
    expect(await numbersOf(page, 'Before and after')).toEqual(
      against!.comparison.groups.map(({ rows, tokens, before, after, nllChange, correctChange }) => [
        ...[rows, tokens, before.nll, after.nll, nllChange.value],
        ...[before.correct, after.correct, correctChange.value],
      ]),
    );
    expect(complaints).toEqual([]);
  });

  const looks = [
    ['desktop, light', {}],
    ['desktop, dark', { colorScheme: 'dark' as const }],
    ['phone, light', { viewport: phone }],
    ['phone of 320 pixels, dark', { viewport: { width: 320, height: 640 }, colorScheme: 'dark' as const }],
    ['200 % zoom', { viewport: { width: 640, height: 400 }, deviceScaleFactor: 2 }],
  ] as const;
  it.each(
    (['inspect', 'eval'] as const).flatMap((name) =>
      looks.map(([look, options]) => ({ name, look, options })),
    ),
  )('$name, $look: axe-core finds nothing, and nothing is wider than the page', async ({ name, options }) => {
    const { page } = await open(browser, urlOf(name), { ...options, bypassCSP: true });
    await page.locator('.token[tabindex="0"]').focus();
    await page.evaluate(() => document.querySelectorAll('details').forEach((one) => (one.open = true)));
    await page.evaluate(axeSource);
    const violations = await page.evaluate(async () => {
      const { axe } = window as unknown as {
        axe: {
          run: (options: object) => Promise<{ violations: { id: string; nodes: { html: string }[] }[] }>;
        };
      };
      const found = await axe.run({ resultTypes: ['violations'] });
      return found.violations.flatMap(({ id, nodes }) =>
        nodes.map(({ html }) => `${id}: ${html.slice(0, 200)}`),
      );
    });
    expect(violations).toEqual([]);
    const isWide = await page.evaluate(
      () => document.documentElement.scrollWidth > document.documentElement.clientWidth,
    );
    expect(isWide).toBe(false);
  });

  it.each(['inspect', 'eval'])('%s: tokens are read with the keyboard alone', async (name) => {
    const { page } = await open(browser, urlOf(name));
    for (let i = 0; i < 60; i++) {
      await page.keyboard.press('Tab');
      if (await page.evaluate(() => document.activeElement!.classList.contains('token'))) break;
    }
    const read = () => page.locator('.detail').textContent();
    await expect.poll(read).toContain('probability');
    const first = await read();
    await page.keyboard.press('ArrowRight');
    await expect.poll(read).not.toBe(first);
  });
});

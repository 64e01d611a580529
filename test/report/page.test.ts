import { readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EvaluateEvent, LogEvent, StepEvent } from '../../src/events/training-event.js';
import { writeReport } from '../../src/report/write-report.js';
import { tempDir } from '../helpers/temp-dir.js';
import { chromiumPath, drawn, open, openChromium, phone, type Watched } from './chromium.js';
import { writeRun, type RunShape } from './write-run.js';

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

let browser: Browser;
let folder: string;
let usual: { dir: string; url: string };

beforeAll(async () => {
  folder = tempDir();
  usual = await written('usual', { rows: 250 });
  if (chromiumPath !== undefined) browser = await openChromium();
});
afterAll(() => browser?.close());

async function written(
  name: string,
  ...shapes: RunShape[]
): Promise<{ dir: string; url: string; file: string }> {
  const dirs = shapes.map((shape, i) => writeRun(join(folder, `${name}-${i}`), shape));
  const file = join(folder, `${name}.html`);
  await writeReport(dirs, file);
  return { dir: dirs[0]!, url: pathToFileURL(file).href, file };
}

const eventsOf = <Event>(dir: string, type: string): Event[] =>
  readFileSync(join(dir, 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { type: string })
    .filter((event) => event.type === type) as Event[];

const openAll = (page: Page) =>
  page.evaluate(() => document.querySelectorAll('details').forEach((one) => (one.open = true)));

/** The exact numbers of a table, a list for each row; null for a cell without one. */
const numbersOf = (page: Page, caption: string): Promise<(number | null)[][]> =>
  page.evaluate((name) => {
    const table = [...document.querySelectorAll('table')].find((one) => one.caption?.textContent === name)!;
    return [...table.tBodies[0]!.rows].map((row) =>
      [...row.cells].map((cell) => {
        const data = cell.querySelector('data');
        return data === null ? null : Number(data.value);
      }),
    );
  }, caption);

const chartOf = (page: Page, title: string) =>
  page.locator('figure.chart', { has: page.getByRole('heading', { name: title, exact: true }) });

/** What a chart reads out, by the name of the line. */
const readoutOf = async (page: Page, title: string): Promise<Record<string, number>> =>
  Object.fromEntries(
    await chartOf(page, title)
      .locator('.readout li:not(.where)')
      .evaluateAll((items) =>
        items.map((item) => [
          item.querySelector('.name')!.textContent,
          Number(item.querySelector('data')?.value),
        ]),
      ),
  ) as Record<string, number>;

describe.skipIf(chromiumPath === undefined)('the page of a run, in Chromium', () => {
  describe('numbers', () => {
    let watched: Watched;
    beforeAll(async () => {
      watched = await open(browser, usual.url);
      await openAll(watched.page);
    });

    it('complains of nothing and asks for nothing', async () => {
      expect(watched.complaints).toEqual([]);
      expect(await watched.page.title()).toBe('first try · adaptive-trainer');
    });

    it('has each evaluation as metrics.jsonl has it', async () => {
      const events = eventsOf<EvaluateEvent>(usual.dir, 'evaluate');
      const rows = await numbersOf(watched.page, 'Evaluations');
      expect(rows).toEqual(
        events.map((one) => [
          ...[one.step, one.epoch, one.loss, one.perplexity, one.tokenAccuracy, one.inTopKShare],
          ...[one.outsideTopKShare, one.adaptiveLoss, one.forgetting, one.rows, one.seconds],
        ]),
      );
    });

    it('has each log as metrics.jsonl has it', async () => {
      const events = eventsOf<LogEvent>(usual.dir, 'log');
      expect(await numbersOf(watched.page, 'Training log')).toEqual(
        events.map(({ statistics, ...log }) => [
          ...[log.step, log.epoch, log.loss, statistics.already_correct, statistics.in_top_k],
          ...[statistics.outside_top_k, log.gradNorm, log.learningRate, log.alpha, log.beta, log.tokens],
          ...[log.tokensPerSecond, log.memoryBytes],
        ]),
      );
    });

    it('has the last evaluation of each dataset and style', async () => {
      const last = eventsOf<EvaluateEvent>(usual.dir, 'evaluate').at(-1)!;
      const texts = await watched.page.locator('table').filter({ hasText: 'Perplexity' }).allTextContents();
      for (const name of [...Object.keys(last.bySource), ...Object.keys(last.byStyle)])
        expect(texts.join()).toContain(name.split('/').at(-1));
      const now = await watched.page.evaluate(() =>
        [...document.querySelectorAll<HTMLTableRowElement>('.groups table tbody tr')].map((row) =>
          Number([...row.cells[3]!.querySelectorAll('data')].at(-1)!.value),
        ),
      );
      expect(now).toEqual(
        [...Object.values(last.bySource), ...Object.values(last.byStyle)].map(({ loss }) => loss),
      );
    });

    it.each([
      ['Training loss (adaptive)', 'training', (step: StepEvent) => step.loss],
      ['Gradient norm', 'before clipping', (step: StepEvent) => step.gradNorm],
      ['Learning rate', 'rate', (step: StepEvent) => step.learningRate],
      ['α and β', 'β', (step: StepEvent) => step.beta],
      ['Tokens per second', 'speed', (step: StepEvent) => step.tokensPerSecond],
      [
        'Trained tokens, by case',
        'already correct',
        ({ statistics }: StepEvent) => statistics.already_correct / statistics.total_tokens,
      ],
      [
        'Trained tokens, by case',
        'among the first 8',
        ({ statistics }: StepEvent) =>
          (statistics.in_top_k - statistics.already_correct) / statistics.total_tokens,
      ],
    ])('%s: reads out %s at any step, by keys alone', async (title, line, value) => {
      const { page } = watched;
      const steps = eventsOf<StepEvent>(usual.dir, 'step');
      await chartOf(page, title).locator('.plot').focus();
      await page.keyboard.press('End');
      expect((await readoutOf(page, title))[line]).toBeCloseTo(value(steps.at(-1)!), 12);
      await page.keyboard.press('Home');
      expect((await readoutOf(page, title))[line]).toBeCloseTo(value(steps[0]!), 12);
      for (let i = 0; i < 4; i++) await page.keyboard.press('ArrowRight');
      expect((await readoutOf(page, title))[line]).toBeCloseTo(value(steps[4]!), 12);
      expect(await chartOf(page, title).locator('.where').textContent()).toBe('step 5');
    });

    it('zooms all charts with the mouse and with keys, and goes back', async () => {
      const { page } = watched;
      const plot = chartOf(page, 'Gradient norm').locator('.u-over');
      await plot.scrollIntoViewIfNeeded();
      const box = (await plot.boundingBox())!;
      await page.mouse.move(box.x + box.width * 0.25, box.y + 40);
      await page.mouse.down();
      await page.mouse.move(box.x + box.width * 0.5, box.y + 60, { steps: 5 });
      await page.mouse.up();
      const all = page.getByRole('button', { name: 'Show all' });
      expect(await all.isEnabled()).toBe(true);
      await chartOf(page, 'Learning rate').locator('.plot').focus();
      await page.keyboard.press('Escape');
      expect(await all.isEnabled()).toBe(false);
      await page.keyboard.press('+');
      expect(await all.isEnabled()).toBe(true);
      await page.keyboard.press('-');
      expect(await all.isEnabled()).toBe(false);
    });
  });

  describe('the token inspector', () => {
    let page: Page;
    beforeAll(async () => void ({ page } = await open(browser, usual.url)));
    const records = (name: string) =>
      readFileSync(join(usual.dir, 'inspection', name), 'utf8')
        .trim()
        .split('\n')
        .map(
          (line) =>
            JSON.parse(line) as {
              row: number;
              outcome: number[];
              nll: number[];
              rank: number[];
              probability: number[];
              choices: [string, number][][];
            },
        );
    const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    const rowNumbers = () =>
      page
        .locator('.row')
        .evaluateAll((rows) => rows.map((row) => Number(/row (\d+)/.exec(row.textContent)![1]) - 1));

    it('begins with the worst rows', async () => {
      const worst = records('after.jsonl').sort((a, b) => mean(b.nll) - mean(a.nll));
      const shown = await rowNumbers();
      expect(shown.length).toBeGreaterThan(3);
      expect(shown).toEqual(worst.slice(0, shown.length).map(({ row }) => row));
    });

    it('shows of a token what the files of the run have, on focus', async () => {
      const [row] = await rowNumbers();
      const [before, after] = ['before.jsonl', 'after.jsonl'].map((name) =>
        records(name).find((one) => one.row === row)!,
      );
      await page.locator('.row').first().locator('.token[tabindex]').first().focus();
      await page.keyboard.press('ArrowRight');
      const numbers = () =>
        page
          .locator('.detail tbody data')
          .evaluateAll((all) => all.map((one) => Number((one as HTMLDataElement).value)));
      await expect
        .poll(numbers)
        .toEqual([
          ...[before!.probability[1], after!.probability[1], before!.rank[1], after!.rank[1]],
          ...[before!.nll[1], after!.nll[1]],
        ]);
      const choices = await page
        .locator('.detail .choices')
        .last()
        .locator('li')
        .evaluateAll((items) =>
          items.map((item) => [
            item.querySelector('bdi')!.textContent.replace(' (the token)', ''),
            Number(item.querySelector('data')!.value),
          ]),
        );
      expect(choices).toEqual(after!.choices[1]);
    });

    it('is walked with the arrow keys, one stop of the Tab key', async () => {
      const active = () =>
        page.evaluate(() => [
          document.activeElement!.closest<HTMLElement>('.row')?.dataset['index'],
          (document.activeElement as HTMLElement).dataset['token'],
        ]);
      await page.locator('.row').first().locator('.token[tabindex]').first().focus();
      expect(await page.locator('.rows [tabindex="0"]').count()).toBe(1);
      await page.keyboard.press('ArrowDown');
      await expect.poll(active).toEqual(['1', '0']);
      for (let i = 2; i < 14; i++) {
        await page.keyboard.press('ArrowDown');
        await expect.poll(active).toEqual([String(i), '0']);
      }
      await page.keyboard.press('ArrowLeft');
      await expect.poll(async () => (await active())[0]).toBe('12');
      expect(await page.locator('.rows [tabindex="0"]').count()).toBe(1);
    });

    it('filters by dataset and by tokens that changed, and orders', async () => {
      const [before, after] = [records('before.jsonl'), records('after.jsonl')];
      const status = () => page.locator('#tokens [role=status]').textContent();
      await page.getByLabel('Dataset', { exact: true }).selectOption({ label: 'facts' });
      expect(await status()).toContain('125 of 250 rows');
      await page.getByLabel('Dataset', { exact: true }).selectOption({ label: 'all' });
      await page.getByLabel('Tokens', { exact: true }).selectOption('lost');
      const lost = after.filter((one, i) =>
        one.outcome.some((case_, j) => case_ !== 0 && before[i]!.outcome[j] === 0),
      );
      expect(await status()).toContain(`${lost.length} of 250 rows`);
      await page.getByLabel('Tokens', { exact: true }).selectOption('changed');
      const first = page.locator('.row').first().locator('.side').last();
      const row = after[(await rowNumbers())[0]!]!;
      const changed = row.outcome.filter((case_, j) => case_ !== before[row.row]!.outcome[j]).length;
      expect(await first.locator('.token:not(.quiet)').count()).toBe(changed);
      await page.getByLabel('Tokens', { exact: true }).selectOption('all');
      await page.getByLabel('First', { exact: true }).selectOption('gained');
      const change = (one: (typeof after)[number]) => mean(one.nll) - mean(before[one.row]!.nll);
      expect((await rowNumbers())[0]).toBe(after.toSorted((a, b) => change(a) - change(b))[0]!.row);
    });
  });

  it('3,000 inspected rows: only those in sight are in the document, and the last one is reached', async () => {
    const { url, file } = await written('many', { rows: 3000, steps: 50 });
    expect(statSync(file).size).toBeLessThan(5e6);
    const { page, complaints } = await open(browser, url);
    const inDocument = () => page.locator('.row').count();
    expect(await inDocument()).toBeLessThan(30);
    await page.locator('.rows').evaluate((list) => list.scrollTo(0, list.scrollHeight));
    await expect
      .poll(() =>
        page
          .locator('.row')
          .evaluateAll((rows) =>
            rows.some((row) => row.getAttribute('aria-posinset') === row.getAttribute('aria-setsize')),
          ),
      )
      .toBe(true);
    expect(await inDocument()).toBeLessThan(30);
    expect(complaints).toEqual([]);
  });

  it('10,000 steps: no peak is lost, and the file stays small', async () => {
    const { dir, url, file } = await written('long', { steps: 10_000 });
    expect(statSync(file).size).toBeLessThan(5e6);
    const { page, complaints } = await open(browser, url);
    const norms = eventsOf<StepEvent>(dir, 'step').map(({ gradNorm }) => gradNorm);
    const label = await chartOf(page, 'Gradient norm').locator('.plot').getAttribute('aria-label');
    expect(label).toContain(`greatest ${Math.max(...norms).toFixed(3)}`);
    expect(label).toContain('10000 values');
    expect(await page.locator('*').count()).toBeLessThan(3000);
    expect(complaints).toEqual([]);
  });

  it('nothing of the data runs or breaks out, and what is hidden is shown', async () => {
    const texts = [
      '</script><script>alert(1)</script>',
      '<img src=x onerror=alert(2)>',
      '<!-- <script>',
      '\u202egnp.exe\u202c and \u2066isolated\u2069',
      'x'.repeat(100_000),
      'half a character \ud800 and \udc00',
      '<style>*{display:none}</style>',
      '$& $1 $` {{7*7}} ${1}',
      'line\u2028separator\u0000nul',
      ']]></title><svg onload=alert(3)>',
    ];
    const { url, file } = await written('hostile', {
      rows: texts.length,
      steps: 20,
      texts,
      runName: '</title><script>alert(4)</script>',
      datasets: ['<b>data</b>/"quoted" \'one\'', '__proto__'],
    });
    expect(readFileSync(file, 'utf8')).not.toContain('<script>alert');
    const { page, complaints } = await open(browser, url);
    await openAll(page);
    const list = page.locator('.rows');
    await page.getByLabel('First', { exact: true }).selectOption('data');
    const seen = new Set<string>();
    for (let i = 0; i < 40; i++) {
      for (const text of await list.locator('.row .side:last-child .token').allTextContents()) seen.add(text);
      await list.evaluate((one) => one.scrollBy(0, 200));
      await drawn(page);
    }
    for (const text of [texts[0]!, texts[1]!, texts[2]!, texts[6]!, texts[7]!, texts[9]!])
      expect([...seen]).toContain(text);
    expect([...seen]).toContain('‹U+202E›gnp.exe‹U+202C› and ‹U+2066›isolated‹U+2069›');
    expect([...seen]).toContain('half a character ‹U+D800› and ‹U+DC00›');
    expect(await page.locator('script').count()).toBe(2);
    expect(await page.locator('img, b, title').count()).toBe(1);
    expect(await page.title()).toBe('</title><script>alert(4)</script> · adaptive-trainer');
    expect(complaints).toEqual([]);
    expect(await isWide(page)).toBe(false);
  });

  it('the policy is on: script and requests that get in by another way are refused', async () => {
    const { page } = await open(browser, usual.url);
    const refused = await page.evaluate(async () => {
      const violations: string[] = [];
      document.addEventListener('securitypolicyviolation', ({ effectiveDirective }) =>
        violations.push(effectiveDirective),
      );
      const script = document.createElement('script');
      script.textContent = 'window.ran = true';
      document.body.append(script);
      document.body.insertAdjacentHTML('beforeend', '<p onclick="window.ran = true">x</p>');
      document.body.lastElementChild!.dispatchEvent(new Event('click'));
      await fetch('https://example.invalid/').catch(() => {});
      while (!violations.includes('connect-src')) await new Promise((resolve) => setTimeout(resolve, 5));
      return { violations, ran: 'ran' in window };
    });
    expect(refused.ran).toBe(false);
    expect(refused.violations.join()).toMatch(/script-src.*connect-src/);
  });

  describe('for everybody', () => {
    const violations = async (page: Page) => {
      await openAll(page);
      await page.evaluate(axeSource);
      return page.evaluate(async () => {
        const { axe } = window as unknown as {
          axe: {
            run: (
              options: object,
            ) => Promise<{ violations: { id: string; nodes: { html: string; failureSummary: string }[] }[] }>;
          };
        };
        const found = await axe.run({ resultTypes: ['violations'] });
        return found.violations.flatMap(({ id, nodes }) =>
          nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 200)} ${failureSummary}`),
        );
      });
    };

    it.each([
      ['desktop, light', {}],
      ['desktop, dark', { colorScheme: 'dark' as const }],
      ['phone, light', { viewport: phone }],
      ['phone, dark', { viewport: phone, colorScheme: 'dark' as const }],
    ])('axe-core finds nothing: %s', async (_, options) => {
      // Injected axe needs no leave of the page's policy; the page itself is as users have it.
      const { page } = await open(browser, usual.url, { ...options, bypassCSP: true });
      await page.locator('.token[tabindex="0"]').focus();
      expect(await violations(page)).toEqual([]);
    });

    it('axe-core finds nothing on several runs side by side, one of which failed', async () => {
      const failed = {
        type: 'error',
        step: 90,
        epoch: 1,
        code: 'LOSS_NOT_FINITE',
        message: 'Expected a loss that is finite, found NaN.',
      };
      const { url } = await written(
        'two',
        { rows: 20 },
        { runName: 'too fast', steps: 90, divergesAt: 80, last: failed, learningRate: 0.1 },
      );
      const { page } = await open(browser, url, { bypassCSP: true });
      expect(await violations(page)).toEqual([]);
    });

    it.each([320, 390, 640, 1024])(
      'nothing is wider than a page of %s pixels (640: 1280 at 200 %% zoom)',
      async (width) => {
        const { page } = await open(browser, usual.url, {
          viewport: { width, height: 700 },
          deviceScaleFactor: 2,
        });
        await openAll(page);
        expect(await isWide(page)).toBe(false);
        const cut = await page
          .locator('.tiles > div')
          .evaluateAll((tiles) => tiles.filter((one) => one.scrollWidth > one.clientWidth).length);
        expect(cut).toBe(0);
      },
    );

    it('every control is reached with the Tab key, and shows that it is', async () => {
      const { page } = await open(browser, usual.url);
      const all = await page.evaluate(() => {
        const reachable = [
          ...document.querySelectorAll<HTMLElement>('a, button, input, select, summary, [tabindex="0"]'),
        ];
        return reachable.filter(
          (one) =>
            one.checkVisibility({ contentVisibilityAuto: true, visibilityProperty: true }) &&
            !one.matches(':disabled'),
        ).length;
      });
      const stops = new Set<string>();
      for (let i = 0; i < all + 5; i++) {
        await page.keyboard.press('Tab');
        const stop = await page.evaluate(() => {
          const one = document.activeElement as HTMLElement;
          if (one === document.body) return null;
          (one as HTMLElement & { stop?: string }).stop ??= String(Math.random());
          const { outlineStyle, outlineWidth } = getComputedStyle(one);
          return {
            id: (one as HTMLElement & { stop?: string }).stop!,
            isShown: outlineStyle !== 'none' && parseFloat(outlineWidth) >= 1,
          };
        });
        if (stop === null) break;
        expect(stop.isShown).toBe(true);
        stops.add(stop.id);
      }
      expect(stops.size).toBe(all);
    });

    it('cases are told apart without colour', async () => {
      const { page } = await open(browser, usual.url);
      const styles = await page
        .locator('.legend .token')
        .evaluateAll((tokens) => tokens.map((one) => getComputedStyle(one).textDecorationStyle));
      expect(styles).toEqual(['solid', 'dashed', 'double']);
    });
  });

  describe('runs that did not complete', () => {
    const storyOf = async (name: string, shape: RunShape) => {
      const { page, complaints } = await open(browser, (await written(name, shape)).url);
      expect(complaints).toEqual([]);
      return page.locator('.summary').innerText();
    };

    it('failed: the error, and the first step whose loss was not finite', async () => {
      const last = {
        type: 'error',
        step: 90,
        epoch: 1,
        code: 'LOSS_NOT_FINITE',
        message: 'Expected a finite loss.',
      };
      const story = await storyOf('diverged', { steps: 90, divergesAt: 85, last });
      expect(story).toContain('Failed after 90 steps: LOSS_NOT_FINITE: Expected a finite loss.');
      expect(story).toContain('not finite at 6 steps, first at step 85');
      expect(story).toMatch(/--resume.* once that is mended/);
    });

    it('killed: how to go on', async () => {
      expect(await storyOf('killed', { steps: 40, last: null })).toMatch(
        /ended without a word after 40 steps.*checkpoint-40.*--resume/,
      );
    });

    it('one that did not get to its first step', async () => {
      expect(
        await storyOf('none', {
          steps: 0,
          last: { type: 'error', step: 0, epoch: 0, message: 'No memory.' },
        }),
      ).toContain('No memory.');
    });
  });

  it('several runs: what differs is named, and each has its numbers', async () => {
    const { url } = await written(
      'side',
      { rows: 10 },
      { runName: 'slower', learningRate: 1e-4, seed: 2, rows: 10 },
      { runName: 'slower', seed: 3 },
    );
    const { page, complaints } = await open(browser, url);
    expect(await page.locator('.summary tbody th').allTextContents()).toEqual([
      'first try',
      'side-1',
      'side-2',
    ]);
    expect(await page.locator('#settings tr', { hasText: 'learningRate' }).first().textContent()).toMatch(
      /differs.*0\.0005.*0\.0001.*0\.0005/,
    );
    expect(Object.keys(await readoutOf(page, 'Gradient norm'))).toEqual(['first try', 'side-1', 'side-2']);
    await page.getByLabel('Run', { exact: true }).selectOption({ label: 'side-1' });
    expect(await page.locator('#tokens [role=status]').textContent()).toContain('10 of 10 rows');
    expect(complaints).toEqual([]);
  });
});

const isWide = (page: Page) =>
  page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);

import { beforeAll, describe, expect, it } from 'vitest';
import { relativeToLargest } from '../helpers/differences.js';
import { tempDir } from '../helpers/temp-dir.js';
import { tinyConfig, writeTinyModel } from '../helpers/tiny-model.js';
import { gradNorms, losses, trainRun } from '../helpers/train-run.js';
import { trainingRows } from '../helpers/training-rows.js';

let dir: string;
beforeAll(() => {
  dir = writeTinyModel(tempDir());
});

/** 8 rows a step in each: only how they are cut up differs. */
const cuts = [
  { batchSize: 8, gradientAccumulationSteps: 1 },
  { batchSize: 4, gradientAccumulationSteps: 2 },
  { batchSize: 2, gradientAccumulationSteps: 4 },
  { batchSize: 1, gradientAccumulationSteps: 8 },
];

describe('batch × accumulation', () => {
  // 21 rows: the last window has 5, in batches of 4 that is 4 + 1, of 2 it is 2 + 2 + 1.
  it.each([24, 21, 17, 3])('changes no loss and no gradient norm, on %i rows', async (count) => {
    const trainDataset = trainingRows(count, tinyConfig.vocab_size);
    const runs = [];
    for (const cut of cuts) {
      runs.push(await trainRun(dir, { trainDataset, args: { ...cut, numEpochs: 2, loss: 'ce' } }));
    }
    const [whole, ...others] = runs;
    expect(whole).toHaveLength(2 * Math.ceil(count / 8));
    for (const run of others) {
      expect(run).toHaveLength(whole!.length);
      expect(relativeToLargest(losses(run), losses(whole!))).toBeLessThan(1e-5);
      expect(relativeToLargest(gradNorms(run), gradNorms(whole!))).toBeLessThan(1e-5);
      expect(run.map((step) => step.labelledTokens)).toEqual(whole!.map((step) => step.labelledTokens));
      expect(run.map((step) => step.epoch)).toEqual(whole!.map((step) => step.epoch));
    }
    // A test of equal losses says nothing about losses that stay the same.
    const all = losses(whole!);
    expect(new Set(all.map((loss) => loss.toFixed(4))).size).toBe(all.length);
  });

  it('reports the mean cross-entropy over the labelled tokens of the window', async () => {
    const rows = trainingRows(8, tinyConfig.vocab_size, 3);
    const evaluated: number[] = [];
    const [step] = await trainRun(dir, {
      trainDataset: rows,
      evalDataset: rows,
      args: { ...cuts[2], loss: 'ce', evalOnStart: true },
      callbacks: [{ onEvaluate: ({ loss }) => void evaluated.push(loss) }],
    });
    expect(step!.loss / evaluated[0]!).toBeCloseTo(1, 6);
    const expected = rows.reduce(
      (sum, row) => sum + row.labels.slice(1).filter((id) => id !== -100).length,
      0,
    );
    expect(step!.labelledTokens).toBe(expected);
    expect(step!.statistics.total_tokens).toBe(expected);
    expect(step!.tokens).toBe(rows.reduce((sum, row) => sum + row.inputIds.length, 0));
  });

  it('does not depend on the number of threads', async () => {
    const trainDataset = trainingRows(16, tinyConfig.vocab_size);
    const [one, two] = [
      await trainRun(dir, { trainDataset, args: { threads: 1 } }),
      await trainRun(dir, { trainDataset, args: { threads: 2 } }),
    ];
    expect(relativeToLargest(losses(two), losses(one))).toBeLessThan(1e-5);
  });
});

import { expect, it } from 'vitest';
import { planBatches, type BatchSettings } from '../../src/trainer/batches/plan-batches.js';

const settings: BatchSettings = {
  batchSize: 4,
  gradientAccumulationSteps: 2,
  maxTokensPerBatch: 10,
  shuffle: true,
  seed: 0,
};
const plan = (lengths: readonly number[], changed: Partial<BatchSettings> = {}) => [
  ...planBatches(lengths.length, (row) => lengths[row]!, { ...settings, ...changed }, 0),
];
const seeds = Array.from({ length: 20 }, (_, seed) => seed);

it('fills a micro-batch to the last token, in the order of the rows', () => {
  expect(plan([4, 6, 10, 1, 9, 1], { shuffle: false })).toEqual([[0, 1], [2], [3, 4], [5]]);
});

it.each(seeds)('packs rows that fit exactly, seed %d', (seed) => {
  expect(plan([5, 5, 5, 5], { seed }).map((batch) => batch.length)).toEqual([2, 2]);
});

it.each(seeds)('packs the rows of a whole step together, seed %d', (seed) => {
  expect(plan([6, 6, 4, 4], { seed })).toHaveLength(2);
});

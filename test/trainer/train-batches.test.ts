import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../src/common/seeded-random.js';
import type { TrainingRow } from '../../src/events/training-row.js';
import type { BatchSettings } from '../../src/trainer/batches/plan-batches.js';
import { microBatchCounts, trainBatches } from '../../src/trainer/batches/train-batches.js';

const random = seededRandom(5);
const rows: TrainingRow[] = Array.from({ length: 203 }, (_, index) => {
  const length = 2 + Math.floor(random() ** 3 * 98);
  const ids = new Array<number>(length).fill(index);
  return { inputIds: ids, labels: ids, learningStyle: 'misc', source: String(index) };
});
const plain: BatchSettings = {
  batchSize: 4,
  gradientAccumulationSteps: 4,
  maxTokensPerBatch: null,
  shuffle: true,
  seed: 1,
};

const batchesOf = (change: Partial<BatchSettings> = {}, epoch = 0, position = 0) => [
  ...trainBatches(rows, { ...plain, ...change }, { epoch, position }),
];
const names = (batches: TrainingRow[][]) => batches.map((batch) => batch.map((row) => Number(row.source)));
const tokens = (batch: readonly TrainingRow[]) => batch.reduce((sum, row) => sum + row.inputIds.length, 0);
const all = rows.map((_, index) => index);

const settings: [string, Partial<BatchSettings>][] = [
  ['by size', {}],
  ['by size, in order', { shuffle: false }],
  ['by tokens', { maxTokensPerBatch: 150 }],
  ['by tokens, in order', { maxTokensPerBatch: 150, shuffle: false }],
  ['by fewer tokens than some rows have', { maxTokensPerBatch: 60 }],
  ['one row at a time', { batchSize: 1, gradientAccumulationSteps: 1 }],
  ['all at once', { batchSize: 500 }],
];

describe.each(settings)('%s', (_, change) => {
  test.each([0, 1])('every row exactly once in epoch %i', (epoch) => {
    const given = names(batchesOf(change, epoch)).flat();
    expect(given.sort((a, b) => a - b)).toEqual(all);
    expect(batchesOf(change, epoch).every((batch) => batch.length > 0)).toBe(true);
  });

  test('goes on from a cursor with what would have come', () => {
    const whole = names(batchesOf(change, 1));
    for (const position of [0, 1, 7, whole.length - 1, whole.length]) {
      const cursor = JSON.parse(JSON.stringify({ epoch: 1, position })) as {
        epoch: number;
        position: number;
      };
      expect(names([...trainBatches(rows, { ...plain, ...change }, cursor)])).toEqual(whole.slice(position));
    }
  });

  test('is counted beforehand', () => {
    const counts = microBatchCounts(rows, { ...plain, ...change }, 3);
    expect(counts).toEqual([0, 1, 2].map((epoch) => batchesOf(change, epoch).length));
  });
});

describe('order', () => {
  test('shuffle: false keeps it exactly', () => {
    expect(names(batchesOf({ shuffle: false }))).toEqual(
      Array.from({ length: 51 }, (_, index) => all.slice(4 * index, 4 * index + 4)),
    );
    expect(names(batchesOf({ shuffle: false, maxTokensPerBatch: 100 })).flat()).toEqual(all);
  });

  test('follows from seed and epoch', () => {
    expect(names(batchesOf())).toEqual(names(batchesOf()));
    expect(names(batchesOf({ seed: 2 }))).not.toEqual(names(batchesOf()));
    expect(names(batchesOf({}, 1))).not.toEqual(names(batchesOf({}, 0)));
  });

  test('the rows of an optimizer step do not depend on how it is cut into micro-batches', () => {
    const steps = (batchSize: number, gradientAccumulationSteps: number) => {
      const batches = names(batchesOf({ batchSize, gradientAccumulationSteps }));
      const count = Math.ceil(batches.length / gradientAccumulationSteps);
      return Array.from({ length: count }, (_, step) =>
        batches
          .slice(step * gradientAccumulationSteps, (step + 1) * gradientAccumulationSteps)
          .flat()
          .sort((a, b) => a - b),
      );
    };
    expect(steps(4, 4)).toEqual(steps(16, 1));
    expect(steps(2, 8)).toEqual(steps(16, 1));
    expect(steps(1, 16)).toEqual(steps(16, 1));
  });
});

describe('work', () => {
  const spread = (batches: TrainingRow[][]) => {
    let worst = 0;
    for (let step = 0; step < 12; step++) {
      const sizes = batches.slice(4 * step, 4 * step + 4).map(tokens);
      worst = Math.max(worst, Math.max(...sizes) / (sizes.reduce((sum, size) => sum + size, 0) / 4));
    }
    return worst;
  };

  test('is about the same in the micro-batches of a step, and no batch has more rows than allowed', () => {
    const batches = batchesOf();
    expect(batches.every((batch) => batch.length <= 4)).toBe(true);
    expect(spread(batches)).toBeLessThan(1.35);
    const unarranged = Array.from({ length: 51 }, (_, index) => rows.slice(4 * index, 4 * index + 4));
    expect(spread(unarranged)).toBeGreaterThan(1.8); // what it would be without
  });

  test('by tokens stays within the limit and near it', () => {
    const batches = batchesOf({ maxTokensPerBatch: 150 });
    expect(Math.max(...batches.map(tokens))).toBeLessThanOrEqual(150);
    const mean = batches.reduce((sum, batch) => sum + tokens(batch), 0) / batches.length;
    expect(mean).toBeGreaterThan(0.93 * 150);
  });

  test('a row longer than the limit is a micro-batch of its own', () => {
    for (const shuffle of [true, false]) {
      const over = batchesOf({ maxTokensPerBatch: 60, shuffle }).filter((batch) => tokens(batch) > 60);
      expect(over.length).toBeGreaterThan(3);
      expect(over.every((batch) => batch.length === 1)).toBe(true);
    }
  });
});

import { expect, it } from 'vitest';
import { parseTrainerConfig } from '../../src/config/read/parse-trainer-config.js';
import { largestMicroBatch } from '../../src/trainer/batches/largest-micro-batch.js';

const rowOf = (length: number, trained: number) => ({
  inputIds: new Int32Array(length),
  labels: Int32Array.from({ length }, (_, at) => (at >= length - trained ? 1 : -100)),
  learningStyle: 'misc' as const,
});

it('finds the micro-batch with the most tokens, and the most that are trained in those', async () => {
  const { args } = parseTrainerConfig({ args: { batchSize: 2, shuffle: false } });
  const rows = [rowOf(5, 1), rowOf(9, 2), rowOf(7, 4), rowOf(6, 3), rowOf(3, 3)];
  expect(await largestMicroBatch(rows, args)).toEqual({ rows: 2, tokens: 14, labelledTokens: 7 });
});

it('lets timers and input go on while it looks at many rows', async () => {
  const { args } = parseTrainerConfig({ args: { batchSize: 1, gradientAccumulationSteps: 16 } });
  const rows = new Array(100_000).fill(rowOf(4, 2)) as ReturnType<typeof rowOf>[];
  let turns = 0;
  let isDone = false;
  const count = () => {
    turns++;
    if (!isDone) setImmediate(count);
  };
  setImmediate(count);
  expect(await largestMicroBatch(rows, args)).toEqual({ rows: 1, tokens: 4, labelledTokens: 2 });
  isDone = true;
  expect(turns).toBeGreaterThan(1);
});

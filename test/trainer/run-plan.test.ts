import { describe, expect, it } from 'vitest';
import { parseTrainerConfig } from '../../src/config/read/parse-trainer-config.js';
import { planRun } from '../../src/trainer/step/run-plan.js';
import { trainingRows } from '../helpers/training-rows.js';

function stepsOf(rows: number, args: object): number {
  const given = { gradientAccumulationSteps: 1, ...args };
  return planRun(trainingRows(rows, 16), parseTrainerConfig({ args: given }).args).totalSteps;
}

describe('the steps of a run', () => {
  it('are those of a fraction of an epoch, whatever the rounding of its product', () => {
    // 10 · (3 - 2.1) is 8.999999999999998.
    for (const [numEpochs, steps] of [
      [2.1, 21],
      [1.1, 11],
      [0.7, 7],
      [2.3, 23],
      [3, 30],
    ] as const)
      expect(stepsOf(10, { batchSize: 1, numEpochs }), `${numEpochs} epochs`).toBe(steps);
  });

  it('are one more for whatever an epoch begun has beyond whole steps', () => {
    expect(stepsOf(10, { batchSize: 1, numEpochs: 2.11 })).toBe(22);
    expect(stepsOf(10, { batchSize: 1, numEpochs: 2.1 + 1e-7 })).toBe(22);
    expect(stepsOf(10, { batchSize: 1, numEpochs: 1e-6 })).toBe(1);
  });

  it('count a last window of fewer micro-batches', () => {
    expect(stepsOf(10, { batchSize: 3, gradientAccumulationSteps: 3, numEpochs: 2 })).toBe(4);
  });
});

import { AdaptiveTrainerError } from '../../errors.js';
import type { TrainingRow } from '../../events/training-row.js';
import { checkRow } from './check-row.js';

/**
 * Checks the rows of one optimizer step: those of an array have been checked, but a stream brings any rows, and so does a
 * trainer that overrides `trainBatches`.
 * @throws AdaptiveTrainerError DATASET_INVALID
 */
export function checkWindow(window: readonly TrainingRow[][], step: number, vocabSize: number): void {
  const rows = window.flat();
  if (rows.length === 0) {
    const message = `Expected at least one row in the micro-batches of step ${step}, found none.`;
    throw new AdaptiveTrainerError('DATASET_INVALID', message);
  }
  rows.forEach((row, i) => checkRow(row, i, `step ${step}`, vocabSize));
}

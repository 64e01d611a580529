import { AdaptiveTrainerError } from '../../errors.js';
import type { TrainingRow } from '../../events/training-row.js';
import { checkRow, type RowLimits } from './check-row.js';
import { rowNumber } from './row-number.js';

/**
 * Checks the rows of one optimizer step: those of an array have been checked, but a stream brings any rows, and so does a
 * trainer that overrides `trainBatches`.
 * @throws AdaptiveTrainerError DATASET_INVALID
 */
export function checkWindow(window: readonly TrainingRow[][], step: number, limits: RowLimits): void {
  const rows = window.flat();
  if (rows.length === 0) {
    const message = `Expected at least one row in the micro-batches of step ${step}, found none.`;
    throw new AdaptiveTrainerError('DATASET_INVALID', message);
  }
  rows.forEach((row, i) => {
    const number = rowNumber(row);
    const where =
      number === undefined
        ? `row ${i} of step ${step}, which trainBatches() made,`
        : `row ${number} of trainDataset, in step ${step},`;
    checkRow(row, { dataset: 'trainDataset', row: number, where }, limits);
  });
}

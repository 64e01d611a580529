import { describeValue } from '../../common/describe-value.js';
import type { TrainingRow } from '../../events/training-row.js';
import { AdaptiveTrainerError } from '../../errors.js';
import { checkRow } from './check-row.js';
import type { TrainingRows } from './training-rows.js';

/**
 * Checks every row of an array; those of a stream are checked as they come.
 * @throws AdaptiveTrainerError DATASET_INVALID for the first row that cannot be trained on, and for no rows at all
 */
export function checkDataset(rows: TrainingRows, name: string, vocabSize: number): void {
  if (!Array.isArray(rows)) {
    if (typeof rows === 'object' && rows !== null && Symbol.asyncIterator in rows) return;
    throw new AdaptiveTrainerError(
      'DATASET_INVALID',
      `Expected an array or an async iterable of rows for ${name}, found ${describeValue(rows)}.`,
    );
  }
  if (rows.length === 0)
    throw new AdaptiveTrainerError('DATASET_INVALID', `Expected rows in ${name}, found none.`);
  rows.forEach((row: TrainingRow, index) => checkRow(row, index, name, vocabSize));
}

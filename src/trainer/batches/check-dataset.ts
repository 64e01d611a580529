import { describeValue } from '../../common/describe-value.js';
import { knownRows, rowLength } from '../../data/mix/row-list.js';
import { EventLoopPacer } from '../../data/tokens/event-loop-pacer.js';
import { AdaptiveTrainerError } from '../../errors.js';
import type { TrainingRow } from '../../events/training-row.js';
import { checkRow, type RowLimits } from './check-row.js';
import type { TrainingRows } from './training-rows.js';

/**
 * Checks what kind of thing a dataset is, and the first row of an array.
 * @throws AdaptiveTrainerError DATASET_INVALID for no rows, and for a first row that cannot be trained on
 */
export function checkDataset(rows: TrainingRows, name: string, limits: RowLimits): void {
  if (!Array.isArray(rows)) {
    if (typeof rows === 'object' && rows !== null && Symbol.asyncIterator in rows) return;
    const isIterable = typeof rows === 'object' && rows !== null && Symbol.iterator in rows;
    const advice = isIterable ? ' Make an array of it: [...rows].' : '';
    throw new AdaptiveTrainerError(
      'DATASET_INVALID',
      `Expected an array or an async iterable of rows for ${name}, found ${describeValue(rows)}.${advice}`,
    );
  }
  if (rows.length === 0)
    throw new AdaptiveTrainerError('DATASET_INVALID', `Expected rows in ${name}, found none.`);
  checkRow(rows[0] as TrainingRow, { dataset: name, row: 0 }, limits);
}

/**
 * Checks every row of an array, in slices between which the event loop goes on. Rows of a DatasetMixer are known to be good
 * for every vocabulary that holds its tokenizer's.
 * @throws AdaptiveTrainerError DATASET_INVALID for the first row that cannot be trained on
 */
export async function checkRows(
  rows: readonly TrainingRow[],
  name: string,
  limits: RowLimits,
  signal?: AbortSignal,
): Promise<void> {
  const pacer = new EventLoopPacer();
  const { maxPositions } = limits.decoder;
  const isKnown = (knownRows(rows)?.vocabSize ?? Infinity) <= limits.vocabSize;
  // The run itself ends where it was aborted, and says so.
  for (let row = 0; row < rows.length && !signal?.aborted; row++) {
    if (isKnown && (maxPositions === 0 || rowLength(rows, row) <= maxPositions)) continue;
    checkRow(rows[row]!, { dataset: name, row }, limits);
    await pacer.breathe();
  }
}

import type { TrainingRow } from '../../events/training-row.js';

const numbers = new WeakMap<TrainingRow, number>();

/** Where a row of a training set stands, from 0; undefined for one that trainBatches() has not handed out. */
export function rowNumber(row: TrainingRow): number | undefined {
  return numbers.get(row);
}

/** Rows that are read from disk are new objects each time: what is not remembered here cannot be found out later. */
export function rememberRowNumber(row: TrainingRow, number: number): TrainingRow {
  // A stream may bring anything; what is no row is refused where rows are checked.
  if (typeof row === 'object' && row !== null) numbers.set(row, number);
  return row;
}

import type { TrainingRow } from '../../events/training-row.js';

const numbers = new WeakMap<TrainingRow, number>();

/** Where a row of a training set stands, from 0; undefined for one that trainBatches() has not handed out. */
export function rowNumber(row: TrainingRow): number | undefined {
  return numbers.get(row);
}

/** Rows that are read from disk are new objects each time, so nobody can look for them in the set later. */
export function rememberRowNumber(row: TrainingRow, number: number): TrainingRow {
  numbers.set(row, number);
  return row;
}

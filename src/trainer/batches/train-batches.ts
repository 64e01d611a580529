import { rowLength } from '../../data/mix/row-list.js';
import type { TrainingRow } from '../../events/training-row.js';
import { planBatches, type BatchSettings } from './plan-batches.js';
import { rememberRowNumber } from './row-number.js';

/** Where in a run the next micro-batch is; all that is needed to go on from there. Survives JSON. */
export interface BatchCursor {
  /** From 0. */
  epoch: number;
  /** Rows of this epoch's order that came before, in batches of another size. Default 0. */
  rowsPassed?: number;
  /** Micro-batches of this epoch that came after those. */
  position: number;
}

/**
 * The micro-batches of one epoch from a cursor on (see `planBatches` for which rows they hold). Those before it are passed
 * over without reading their rows.
 */
export function* trainBatches(
  rows: readonly TrainingRow[],
  settings: BatchSettings,
  { epoch, rowsPassed, position }: BatchCursor,
): Generator<TrainingRow[]> {
  let index = 0;
  const lengthAt = (row: number) => rowLength(rows, row);
  for (const batch of planBatches(rows.length, lengthAt, settings, epoch, rowsPassed)) {
    if (index++ >= position) yield batch.map((row) => rememberRowNumber(rows[row] as TrainingRow, row));
  }
}

/**
 * How many micro-batches each epoch has. They differ by a few where `maxTokensPerBatch` packs them.
 * @param from the first epoch, and how many of its rows are left out. Default: the first, and none
 */
export function microBatchCounts(
  rows: readonly TrainingRow[],
  settings: BatchSettings,
  epochs: number,
  from: { epochIndex: number; rows: number } = { epochIndex: 0, rows: 0 },
): number[] {
  const passedIn = (epoch: number) => (epoch === 0 ? from.rows : 0);
  return Array.from({ length: epochs }, (_, epoch) => {
    if (settings.maxTokensPerBatch === null)
      return Math.ceil((rows.length - passedIn(epoch)) / settings.batchSize);
    const lengthAt = (row: number) => rowLength(rows, row);
    const batches = planBatches(rows.length, lengthAt, settings, from.epochIndex + epoch, passedIn(epoch));
    let count = 0;
    for (const _batch of batches) count++;
    return count;
  });
}

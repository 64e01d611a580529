import { rowLength } from '../../data/mix/row-list.js';
import type { TrainingRow } from '../../events/training-row.js';
import { planBatches, type BatchSettings } from './plan-batches.js';
import { rememberRowNumber } from './row-number.js';

/** Where in a run the next micro-batch is; all that is needed to go on from there. Survives JSON. */
export interface BatchCursor {
  /** From 0. */
  epoch: number;
  /** Micro-batches of this epoch that came before. */
  position: number;
}

/**
 * The micro-batches of one epoch from a cursor on (see `planBatches` for which rows they hold). Those before it are passed
 * over without reading their rows.
 */
export function* trainBatches(
  rows: readonly TrainingRow[],
  settings: BatchSettings,
  { epoch, position }: BatchCursor,
): Generator<TrainingRow[]> {
  let index = 0;
  for (const batch of planBatches(rows.length, (row) => rowLength(rows, row), settings, epoch)) {
    if (index++ >= position) yield batch.map((row) => rememberRowNumber(rows[row] as TrainingRow, row));
  }
}

/** How many micro-batches each epoch has, from the first on. They differ by a few where `maxTokensPerBatch` packs them. */
export function microBatchCounts(
  rows: readonly TrainingRow[],
  settings: BatchSettings,
  epochs: number,
): number[] {
  if (settings.maxTokensPerBatch === null) {
    return new Array<number>(epochs).fill(Math.ceil(rows.length / settings.batchSize));
  }
  return Array.from({ length: epochs }, (_, epoch) => {
    let count = 0;
    for (const _batch of planBatches(rows.length, (row) => rowLength(rows, row), settings, epoch)) count++;
    return count;
  });
}

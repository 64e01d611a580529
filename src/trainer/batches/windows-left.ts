import type { TrainingConfig } from '../../config/schema/parsed-config.js';
import type { TrainingRow } from '../../events/training-row.js';
import type { RunProgress } from '../run-progress.js';
import { chunked, skipped } from '../../common/chunked.js';
import { isRowArray } from './is-row-array.js';
import { microBatchCounts, trainBatches } from './train-batches.js';
import type { TrainingRows } from './training-rows.js';

/** The rows of a run and the order that they are taken in. */
export interface RowOrder {
  rows: TrainingRows;
  /** Those of all ranks, see settingsOfAll(). */
  args: TrainingConfig;
  hasOwnOrder: boolean;
  trainBatches: (epoch: number) => Iterable<TrainingRow[]> | AsyncIterable<TrainingRow[]>;
}

/** What is still to be done of the epoch, one optimizer step after the other. */
export async function* windowsLeft(
  { rows, args, hasOwnOrder, trainBatches: ownBatches }: RowOrder,
  progress: RunProgress,
): AsyncGenerator<TrainingRow[][], void, undefined> {
  const { epochIndex: epoch, windowsDone } = progress.position;
  const perStep = args.gradientAccumulationSteps;
  if (isRowArray(rows) && !hasOwnOrder) {
    const cursor = { epoch, rowsPassed: progress.rowsPassed, position: windowsDone * perStep };
    return yield* chunked(trainBatches(rows, args, cursor), perStep);
  }
  // A stream, or another order, can only be read from its beginning: the windows before the checkpoint are skipped.
  yield* skipped(windowsDone, chunked(ownBatches(epoch), perStep));
}

/** undefined where only going through the rows would tell. */
export function windowsOfEpoch(
  { rows, args, hasOwnOrder }: RowOrder,
  { position, rowsPassed }: RunProgress,
): number | undefined {
  if (!isRowArray(rows) || hasOwnOrder) return undefined;
  const [count] = microBatchCounts(rows, args, 1, { ...position, rows: rowsPassed });
  return Math.ceil(count! / args.gradientAccumulationSteps);
}

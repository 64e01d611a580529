import type { AdaptiveLossConfig, TrainingConfig } from '../config/schema/parsed-config.js';
import { AdaptiveTrainerError } from '../errors.js';
import type { AdaptiveTrainerOptions } from './adaptive-trainer-options.js';
import { checkDataset, checkRows } from './batches/check-dataset.js';
import { isRowArray } from './batches/is-row-array.js';
import { refuseOnceOnly } from './batches/one-pass.js';
import type { RunProgress } from './run-progress.js';

/**
 * Checks what the model and the rows have to do with each other.
 * @throws AdaptiveTrainerError INVALID_INPUT for a topK above the vocabulary; DATASET_INVALID for datasets without rows, and
 * for a first row that cannot be trained on
 */
export function checkOptions(options: AdaptiveTrainerOptions, { topK }: AdaptiveLossConfig): void {
  const { trainDataset, evalDataset } = options;
  const { vocabSize } = options.model;
  if (topK > vocabSize) {
    const message = `Expected topK of at most the vocabulary (${vocabSize}), found ${topK}.`;
    throw new AdaptiveTrainerError('INVALID_INPUT', message, { details: { topK, vocabSize } });
  }
  checkDataset(trainDataset, 'trainDataset', options.model);
  if (evalDataset !== undefined) checkDataset(evalDataset, 'evalDataset', options.model);
}

/**
 * Checks every row of the arrays, and that the evaluation's rows will be there each time.
 * @throws AdaptiveTrainerError DATASET_INVALID
 */
export async function checkAllRows(
  { model, trainDataset, evalDataset, signal }: AdaptiveTrainerOptions,
  args: TrainingConfig,
  progress: RunProgress,
): Promise<void> {
  if (isRowArray(trainDataset)) await checkRows(trainDataset, 'trainDataset', model, signal);
  if (evalDataset === undefined) return;
  if (isRowArray(evalDataset)) await checkRows(evalDataset, 'evalDataset', model, signal);
  else refuseOnceOnly(evalDataset, 'evalDataset', evaluations(args, progress));
}

/** How often a run evaluates. */
function evaluations(args: TrainingConfig, { totalSteps, plannedEpochs }: RunProgress): number {
  const { evalStrategy, evalSteps, evalOnStart } = args;
  const atStart = evalOnStart ? 1 : 0;
  if (evalStrategy === 'no') return atStart;
  return atStart + (evalStrategy === 'epoch' ? Math.ceil(plannedEpochs) : Math.floor(totalSteps / evalSteps));
}

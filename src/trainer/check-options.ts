import type { AdaptiveLossConfig } from '../config/schema/parsed-config.js';
import { AdaptiveTrainerError } from '../errors.js';
import type { AdaptiveTrainerOptions } from './adaptive-trainer-options.js';
import { checkDataset } from './batches/check-dataset.js';

/**
 * Checks what the model and the rows have to do with each other.
 * @throws AdaptiveTrainerError INVALID_INPUT for a topK above the vocabulary; DATASET_INVALID for the first row that cannot
 * be trained on
 */
export function checkOptions(options: AdaptiveTrainerOptions, { topK }: AdaptiveLossConfig): void {
  const { trainDataset, evalDataset } = options;
  const { vocabSize } = options.model;
  if (topK > vocabSize) {
    const message = `Expected topK of at most the vocabulary (${vocabSize}), found ${topK}.`;
    throw new AdaptiveTrainerError('INVALID_INPUT', message, { details: { topK, vocabSize } });
  }
  checkDataset(trainDataset, 'trainDataset', vocabSize);
  if (evalDataset !== undefined) checkDataset(evalDataset, 'evalDataset', vocabSize);
}

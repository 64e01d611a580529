import type { TrainingConfig } from '../config/parsed-config.js';
import { rowLength } from '../data/row-list.js';
import type { TrainingRow } from '../data/training-row.js';
import { labelledTokens } from './micro-batch.js';
import { planBatches } from './plan-batches.js';

const epochsLookedAt = 3; // later epochs shuffle anew, and seldom find a much larger batch

/** Tokens of the largest micro-batch of the first epochs, in the order that `AdaptiveTrainer` takes the rows. */
export function largestMicroBatch(
  rows: readonly TrainingRow[],
  args: TrainingConfig,
): { tokens: number; labelledTokens: number } {
  const largest = { tokens: 0, labelledTokens: 0 };
  const labelled = rows.map((row) => labelledTokens([row]));
  const epochs = args.shuffle ? Math.min(epochsLookedAt, Math.ceil(args.numEpochs)) : 1;
  for (let epoch = 0; epoch < epochs; epoch++) {
    for (const batch of planBatches(rows.length, (row) => rowLength(rows, row), args, epoch)) {
      let [tokens, trained] = [0, 0];
      for (const index of batch) {
        tokens += rowLength(rows, index);
        trained += labelled[index]!;
      }
      largest.tokens = Math.max(largest.tokens, tokens);
      largest.labelledTokens = Math.max(largest.labelledTokens, trained);
    }
  }
  return largest;
}

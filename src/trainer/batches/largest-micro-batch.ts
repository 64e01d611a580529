import type { TrainingConfig } from '../../config/schema/parsed-config.js';
import { rowLength } from '../../data/mix/row-list.js';
import { EventLoopPacer } from '../../data/tokens/event-loop-pacer.js';
import type { TrainingRow } from '../../events/training-row.js';
import { labelledTokens } from './micro-batch.js';
import { planBatches } from './plan-batches.js';

const epochsLookedAt = 3; // later epochs shuffle anew, and seldom find a much larger batch
const batchesRead = 8;

export interface LargestMicroBatch {
  tokens: number;
  labelledTokens: number;
  rows: number;
}

/**
 * Tokens of the largest micro-batch of the first epochs, in the order that `AdaptiveTrainer` takes the rows; labelled ones of
 * the largest few, since only these have to be read. The event loop goes on meanwhile.
 */
export async function largestMicroBatch(
  rows: readonly TrainingRow[],
  args: TrainingConfig,
): Promise<LargestMicroBatch> {
  const pacer = new EventLoopPacer();
  let largest: { tokens: number; batch: number[] }[] = [];
  const epochs = args.shuffle ? Math.min(epochsLookedAt, Math.ceil(args.numEpochs)) : 1;
  for (let epoch = 0; epoch < epochs; epoch++) {
    for (const batch of planBatches(rows.length, (row) => rowLength(rows, row), args, epoch)) {
      await pacer.breathe();
      const tokens = batch.reduce((sum, index) => sum + rowLength(rows, index), 0);
      if (largest.length === batchesRead && tokens <= largest.at(-1)!.tokens) continue;
      largest = [...largest, { tokens, batch }].sort((a, b) => b.tokens - a.tokens).slice(0, batchesRead);
    }
  }
  const labelled = largest.map(({ batch }) => labelledTokens(batch.map((index) => rows[index]!)));
  const { tokens = 0, batch = [] } = largest[0] ?? {};
  return { tokens, labelledTokens: Math.max(0, ...labelled), rows: Math.max(1, batch.length) };
}

import { AdaptiveTrainerError } from '../../errors.js';
import type { TrainingRow } from '../../events/training-row.js';
import type { Ranks } from '../../ranks/ranks.js';
import { labelledTokens } from './micro-batch.js';

/**
 * Ranks that read streams, or batches of a user's, could be given other rows without anyone knowing.
 * @param rows of a whole micro-batch, as this rank knows it
 * @param found labelled tokens in the parts of all ranks
 * @throws AdaptiveTrainerError RANKS_DIFFER
 */
export function checkSameRows(rows: readonly TrainingRow[], found: number, ranks: Ranks): void {
  if (ranks.size === 1) return;
  const expected = labelledTokens(rows);
  if (found === expected) return;
  const difference = `labelled tokens of a micro-batch (${expected} here, ${found} in the parts of all)`;
  throw new AdaptiveTrainerError(
    'RANKS_DIFFER',
    `Expected all ranks to be given the same rows, but they were not: ${difference}. A stream, and trainBatches(), must give every rank the same rows in the same order; each takes its part of them.`,
    { details: { rank: ranks.rank, differences: [difference] } },
  );
}

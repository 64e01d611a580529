import { AdaptiveTrainerError } from '../../errors.js';
import { learningStyles } from '../../events/learning-style.js';
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

/**
 * The same for the rows of a whole step, by their content. Rows in memory are compared before the first step.
 * @throws AdaptiveTrainerError RANKS_DIFFER, at all ranks
 */
export async function checkSameWindow(
  window: readonly TrainingRow[][],
  step: number,
  ranks: Ranks,
): Promise<void> {
  const hashes = new Float64Array(ranks.size);
  // Above what is sent of other things.
  hashes[ranks.rank] = 1000 + hashOf(window);
  const all = await ranks.sum(hashes);
  const others = Array.from(all.keys()).filter((rank) => all[rank] !== all[0]);
  if (others.length === 0) return;
  const difference = `the rows of step ${step} (at rank ${others.join(', ')} not those of rank 0)`;
  throw new AdaptiveTrainerError(
    'RANKS_DIFFER',
    `Expected all ranks to be given the same rows, but they were not: ${difference}. A stream, and trainBatches(), must give every rank the same rows in the same order; each takes its part of them.`,
    { details: { rank: ranks.rank, differences: [difference] } },
  );
}

/** FNV-1a over where micro-batches and rows end, and all ids, labels and styles. */
function hashOf(window: readonly TrainingRow[][]): number {
  let hash = 0x811c9dc5;
  const add = (value: number) => (hash = Math.imul(hash ^ value, 0x01000193));
  for (const rows of window) {
    add(rows.length);
    for (const { inputIds, labels, learningStyle } of rows) {
      add(inputIds.length);
      for (const id of inputIds) add(id);
      for (const label of labels) add(label);
      add(learningStyles.indexOf(learningStyle));
    }
  }
  return hash >>> 0;
}

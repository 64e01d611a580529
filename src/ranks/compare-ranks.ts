import { packageVersion } from '../common/package-version.js';
import { AdaptiveTrainerError } from '../errors.js';
import type { Ranks } from './ranks.js';

/** What is compared, by its name; values of any kind that JSON holds. */
export type RankFacts = Record<string, unknown>;

/**
 * Compares what the ranks are about to train with what rank 0 is.
 * @throws AdaptiveTrainerError RANKS_DIFFER at a rank with other facts, RANKS_FAILED at all others
 */
export async function compareRanks(ranks: Ranks, facts: RankFacts): Promise<void> {
  if (ranks.size === 1) return;
  const whole = { 'adaptive-trainer': packageVersion(), ...facts };
  const ofFirst = JSON.parse(await ranks.fromFirst(JSON.stringify(whole))) as RankFacts;
  const own = JSON.parse(JSON.stringify(whole)) as RankFacts;
  const differences = Object.keys({ ...ofFirst, ...own })
    .filter((key) => JSON.stringify(ofFirst[key]) !== JSON.stringify(own[key]))
    .map((key) => `${key} (${shown(ofFirst[key])} at rank 0, ${shown(own[key])} here)`);
  await ranks.together(async () => {
    if (differences.length === 0) return;
    throw new AdaptiveTrainerError(
      'RANKS_DIFFER',
      `Expected all ranks to train the same, but at rank ${ranks.rank} these differ: ${differences.join(', ')}. ` +
        'Give every rank the same configuration, files and version of adaptive-trainer, and start again.',
      { details: { rank: ranks.rank, differences } },
    );
  });
}

function shown(value: unknown): string {
  const text = value === undefined ? 'none' : JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}

import type { Ranks } from '../../ranks/ranks.js';
import type { TrainingRow } from '../../events/training-row.js';
import { deal } from './deal.js';
import type { BatchSettings } from './plan-batches.js';

/**
 * The settings of what all ranks take together: each takes `batchSize` rows, or about `maxTokensPerBatch` tokens, of a
 * micro-batch. One process with these settings takes the same rows.
 */
export function settingsOfAll<Settings extends BatchSettings>(settings: Settings, size: number): Settings {
  const { batchSize, maxTokensPerBatch } = settings;
  return {
    ...settings,
    batchSize: batchSize * size,
    maxTokensPerBatch: maxTokensPerBatch === null ? null : maxTokensPerBatch * size,
  };
}

/**
 * Divides the rows of a micro-batch among ranks, so that these have about equally many tokens. All ranks divide alike.
 * @returns for each rank the places of its rows, in order; none, where there are fewer rows than ranks
 */
export function divideRows(lengths: readonly number[], size: number): number[][] {
  const places = lengths.map((_, place) => place);
  const parts = deal(places, (place) => lengths[place]!, size, Math.ceil(places.length / size));
  return parts.map((part) => part.sort((a, b) => a - b));
}

/** This rank's part of a micro-batch: the places of its rows, and these. */
export function rankPart(
  rows: readonly TrainingRow[],
  { rank, size }: Ranks,
): { places: readonly number[]; rows: TrainingRow[] } {
  if (size === 1) return { places: rows.map((_, place) => place), rows: [...rows] };
  const places = divideRows(
    rows.map(({ inputIds }) => inputIds.length),
    size,
  )[rank]!;
  return { places, rows: places.map((place) => rows[place]!) };
}

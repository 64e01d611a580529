import type { DecoderConfig } from '../engine/addon.js';

/**
 * How many tokens a model with rotary positions was made for. Longer rows are computed, here as in transformers, with
 * positions that the model has not learned. undefined where config.json does not say, or positions are learned.
 */
export function rotaryPositions(
  { max_position_embeddings: stated }: Readonly<Record<string, unknown>>,
  { ropes }: DecoderConfig,
): number | undefined {
  if (ropes.length === 0 || typeof stated !== 'number') return undefined;
  const stretched = ['linear', 'dynamic', 'yarn'];
  const factors = ropes.map(({ type, factor }) => (stretched.includes(type) ? factor : 1));
  return Math.floor(stated * Math.max(1, ...factors));
}

/** What to say of rows that have more tokens than that. */
export function beyondPositions(count: number, of: number, positions: number): string {
  return (
    `${count} of ${of} rows have more tokens than the ${positions} positions that the model was made for ` +
    `(max_position_embeddings). Rotary positions go on beyond them, but the model has not learned those: lower ` +
    `maxLengthToken to ${positions} to leave such rows out, or train on enough of them.`
  );
}

import type { DecoderConfig } from '../engine/addon.js';

/**
 * The most tokens of a row: maxLengthToken, or the positions of a model that learned them. Rotary positions go on beyond
 * max_position_embeddings, here as in transformers.
 *
 * @param onNote told where the model has fewer
 */
export function longestRow(
  maxLengthToken: number,
  decoder: Pick<DecoderConfig, 'maxPositions'> | undefined,
  onNote: (note: string) => void,
): number {
  const positions = decoder?.maxPositions ?? 0;
  if (positions === 0 || positions >= maxLengthToken) return maxLengthToken;
  onNote(
    `maxLengthToken is ${maxLengthToken}, but the model has ${positions} positions: ${positions} is taken.`,
  );
  return positions;
}

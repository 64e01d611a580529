import { rowLength } from '../../data/mix/row-list.js';
import type { CausalLM } from '../../model/causal-lm.js';
import { beyondPositions, rotaryPositions } from '../../model/rotary-positions.js';
import { isRowArray } from './is-row-array.js';
import type { TrainingRows } from './training-rows.js';

/** What to say of rows with more tokens than the model was made for; undefined where there are none, or for a stream. */
export function longRowsNote(
  { config, decoder }: Pick<CausalLM, 'config' | 'decoder'>,
  rows: TrainingRows,
): string | undefined {
  const positions = rotaryPositions(config, decoder);
  if (positions === undefined || !isRowArray(rows)) return undefined;
  let count = 0;
  for (let row = 0; row < rows.length; row++) if (rowLength(rows, row) > positions) count++;
  return count === 0 ? undefined : beyondPositions(count, rows.length, positions);
}

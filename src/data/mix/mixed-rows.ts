import { createHash } from 'node:crypto';
import type { LearningStyle } from '../../events/learning-style.js';
import { rowList } from './row-list.js';
import type { TokenRows } from '../tokens/token-rows.js';
import type { TrainingRow } from '../../events/training-row.js';

/** The rows that were chosen of one dataset. */
export interface ChosenRows {
  rows: TokenRows;
  /** Their indices. */
  chosen: Uint32Array;
  style: LearningStyle;
  /** Name of the dataset. */
  source: string;
}

/**
 * One list of the rows of all datasets.
 * @param vocabSize of the tokenizer that made them
 * @param order row numbers, those of the first dataset first (see `mixOrder`); undefined: as they stand
 */
export function mixedRows(
  parts: readonly ChosenRows[],
  order: Uint32Array | undefined,
  vocabSize: number,
): readonly TrainingRow[] {
  const ends: number[] = [];
  let total = 0;
  for (const { chosen } of parts) ends.push((total += chosen.length));
  const find = (index: number): { part: ChosenRows; row: number } => {
    const number = order === undefined ? index : (order[index] as number);
    let at = 0;
    while (number >= (ends[at] as number)) at++;
    const part = parts[at] as ChosenRows;
    return { part, row: part.chosen[number - ((ends[at] as number) - part.chosen.length)] as number };
  };
  return rowList(
    order?.length ?? total,
    (index) => {
      const { part, row } = find(index);
      return { ...part.rows.row(row), learningStyle: part.style, source: part.source };
    },
    (index) => {
      const { part, row } = find(index);
      return part.rows.lengths[row] as number;
    },
    { vocabSize, digest: () => digestOf(parts, order) },
  );
}

/** A hash of the rows from those of their files and the choice that was made, so that no token is read for it. */
function digestOf(parts: readonly ChosenRows[], order: Uint32Array | undefined): string {
  const hash = createHash('sha256');
  for (const { rows, chosen, style } of parts) {
    hash.update(JSON.stringify([rows.digest, style, chosen.length])).update(chosen);
  }
  if (order !== undefined) hash.update(order);
  return hash.digest('hex');
}

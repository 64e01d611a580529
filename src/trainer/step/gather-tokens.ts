import type { TokenArrays } from '../../engine/addon.js';
import type { TrainingRow } from '../../events/training-row.js';
import type { Ranks } from '../../ranks/ranks.js';
import { labelledTokens } from '../batches/micro-batch.js';

/** The columns that travel; the others are known from the rows. */
const columns = ['nll', 'topNll', 'entropy', 'rank', 'predicted'] as const;

/** The tokens of a whole micro-batch, and where among them those of this rank are. */
export interface GatheredTokens {
  whole: TokenArrays;
  own: Int32Array;
}

/**
 * Gathers the tokens of a micro-batch from the ranks that share it.
 * @param rows of the whole micro-batch
 * @param places of this rank's rows among them
 * @param tokens of this rank's rows
 * @param isSmoothed whether the loss smooths labels: `tokens` does not tell where this rank has no rows
 */
export async function gatherTokens(
  rows: readonly TrainingRow[],
  places: readonly number[],
  tokens: TokenArrays,
  ranks: Ranks,
  isSmoothed: boolean,
): Promise<GatheredTokens> {
  const counts = rows.map((row) => labelledTokens([row]));
  const starts = counts.map(
    (
      (next) => (count: number) =>
        (next += count) - count
    )(0),
  );
  const total = counts.reduce((sum, count) => sum + count, 0);
  const own = new Int32Array(tokens.rows.length);
  const seen = new Map<number, number>();
  tokens.rows.forEach((row, i) => {
    const nth = seen.get(row) ?? 0;
    own[i] = starts[places[row]!]! + nth;
    seen.set(row, nth + 1);
  });
  const names = isSmoothed ? ([...columns, 'smoothed'] as const) : columns;
  // Every token is one rank's alone: adding zeros moves it as it is.
  const table = new Float64Array(names.length * total);
  names.forEach((name, column) => {
    tokens[name]?.forEach((value, i) => (table[column * total + own[i]!] = value));
  });
  const all = await ranks.sum(table);
  const column = (name: (typeof names)[number]) => {
    const at = (names as readonly string[]).indexOf(name);
    return all.subarray(at * total, (at + 1) * total);
  };
  const whole = {
    ...labelsOf(rows, total),
    nll: Float32Array.from(column('nll')),
    topNll: Float32Array.from(column('topNll')),
    entropy: Float32Array.from(column('entropy')),
    rank: Int32Array.from(column('rank')),
    predicted: Int32Array.from(column('predicted')),
    ...(isSmoothed ? { smoothed: Float32Array.from(column('smoothed' as never)) } : {}),
  };
  return { whole, own };
}

function labelsOf(
  rows: readonly TrainingRow[],
  total: number,
): Pick<TokenArrays, 'positions' | 'labels' | 'rows'> {
  const found = {
    positions: new Int32Array(total),
    labels: new Int32Array(total),
    rows: new Int32Array(total),
  };
  let next = 0;
  let start = 0;
  rows.forEach(({ labels, inputIds }, row) => {
    for (let t = 1; t < labels.length; t++) {
      if (labels[t] === -100) continue;
      found.positions[next] = start + t - 1;
      found.labels[next] = labels[t]!;
      found.rows[next++] = row;
    }
    start += inputIds.length;
  });
  return found;
}

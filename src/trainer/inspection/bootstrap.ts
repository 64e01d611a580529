import { seededRandom } from '../../common/seeded-random.js';
import type { Interval } from '../../events/token-record.js';

const resamples = 1000;
const seed = 1;
const share = 0.95;

/** What a row counts: `value` is Σ over its tokens. */
export interface RowSum {
  value: number;
  tokens: number;
}

/**
 * Σ value ÷ Σ tokens over rows, with the interval that holds it in 95 of 100 cases, by a percentile bootstrap over rows: tokens of one
 * row are not independent of each other. The same rows give the same interval. Of fewer than five rows it is too narrow.
 */
export function bootstrap(rows: readonly RowSum[]): Interval {
  const random = seededRandom(seed);
  const count = rows.length;
  const values = Float64Array.from(rows, ({ value }) => value);
  const tokens = Float64Array.from(rows, (row) => row.tokens);
  const means = new Float64Array(resamples);
  for (let sample = 0; sample < resamples; sample++) {
    let sum = 0;
    let total = 0;
    for (let drawn = 0; drawn < count; drawn++) {
      const row = Math.floor(random() * count);
      sum += values[row]!;
      total += tokens[row]!;
    }
    means[sample] = total > 0 ? sum / total : 0;
  }
  means.sort();
  const at = (quantile: number) => means[Math.round(quantile * (resamples - 1))]!;
  const total = tokens.reduce((sum, one) => sum + one, 0);
  const value = total > 0 ? values.reduce((sum, one) => sum + one, 0) / total : 0;
  return { value, low: at((1 - share) / 2), high: at((1 + share) / 2) };
}

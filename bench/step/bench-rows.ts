import { random } from './random.js';

/** A benchmark row: all of `inputIds` from position `labelled` on is trained. */
export interface BenchRow {
  inputIds: number[];
  labels: number[];
}

export const batchSize = 4;
export const tokensPerBatch = 603;
const labelledPerBatch = 400;
const shortest = 60;
const vocabSize = 49152;

/** `count` whole numbers that sum to `total`, each about uniform around the mean and at least `least`. */
function parts(count: number, total: number, least: number, uniform: () => number): number[] {
  const mean = total / count;
  const sizes = Array.from({ length: count }, () => Math.round(least + 2 * (mean - least) * uniform()));
  for (let gap = total - sizes.reduce((a, b) => a + b, 0), i = 0; gap !== 0; i = (i + 1) % count) {
    const step = Math.sign(gap);
    if ((sizes[i] ?? 0) + step < least) continue;
    sizes[i] = (sizes[i] ?? 0) + step;
    gap -= step;
  }
  return sizes;
}

/**
 * The same rows for every trainer: each batch of four holds exactly 603 real tokens, 400 of them labelled, in rows
 * of about 60 to 240 tokens. Ids follow Zipf's law, as words do, so that there is something to learn.
 */
export function benchRows(batches: number, seed = 7): BenchRow[] {
  const uniform = random(seed);
  const zipf = () => Math.min(vocabSize - 1, 2 + Math.floor(Math.exp(uniform() * Math.log(vocabSize - 2))));
  const rows: BenchRow[] = [];
  for (let batch = 0; batch < batches; batch++) {
    const lengths = parts(batchSize, tokensPerBatch, shortest, uniform);
    let answered = labelledPerBatch;
    lengths.forEach((length, row) => {
      const share = Math.round((labelledPerBatch * length) / tokensPerBatch);
      const answer = row === batchSize - 1 ? answered : share;
      answered -= answer;
      const inputIds = Array.from({ length }, zipf);
      rows.push({ inputIds, labels: inputIds.map((id, i) => (i < length - answer ? -100 : id)) });
    });
  }
  return rows;
}

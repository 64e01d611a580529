import { random } from './random.js';

/** A benchmark row: all of `inputIds` from position `labelled` on is trained. */
export interface BenchRow {
  inputIds: number[];
  labels: number[];
}

export const batchSize = 4;
const shortest = 60;

/** What a batch of four rows holds: rows of real lengths, as short answers are, or of one length, as packed text. */
export const rowKinds = {
  real: { tokens: 603, labelled: 400, text: '4 rows, 603 tokens' },
  equal: { tokens: 2048, labelled: 2048, text: '4 rows of 512' },
} as const;
export type RowKind = keyof typeof rowKinds;
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
 * of about 60 to 240 tokens; or four rows of 512, all labelled. Ids follow Zipf's law, as words do, so that there is something
 * to learn.
 */
export function benchRows(batches: number, kind: RowKind, seed = 7): BenchRow[] {
  const { tokens, labelled } = rowKinds[kind];
  const uniform = random(seed);
  const zipf = () => Math.min(vocabSize - 1, 2 + Math.floor(Math.exp(uniform() * Math.log(vocabSize - 2))));
  const rows: BenchRow[] = [];
  for (let batch = 0; batch < batches; batch++) {
    const lengths =
      kind === 'equal'
        ? Array.from({ length: batchSize }, () => tokens / batchSize)
        : parts(batchSize, tokens, shortest, uniform);
    let answered: number = labelled;
    lengths.forEach((length, row) => {
      const share = Math.round((labelled * length) / tokens);
      const answer = row === batchSize - 1 ? answered : share;
      answered -= answer;
      const inputIds = Array.from({ length }, zipf);
      rows.push({ inputIds, labels: inputIds.map((id, i) => (i < length - answer ? -100 : id)) });
    });
  }
  return rows;
}

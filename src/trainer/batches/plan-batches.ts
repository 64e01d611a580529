import type { TrainingConfig } from '../../config/schema/parsed-config.js';
import { shuffledIndices } from '../../common/seeded-random.js';
import { deal } from './deal.js';

/** The settings that decide which rows make a micro-batch. */
export type BatchSettings = Pick<
  TrainingConfig,
  'batchSize' | 'gradientAccumulationSteps' | 'maxTokensPerBatch' | 'shuffle' | 'seed'
>;

/**
 * Which rows the micro-batches of one epoch hold, as indices: every row exactly once, in an order that follows from the
 * seed and the epoch alone. With `shuffle: false` rows keep their order.
 *
 * Shuffled rows are arranged within each optimizer step, whose rows stay the same whatever their arrangement, so that its
 * micro-batches carry about equally many tokens: that keeps the peak of memory low. With `maxTokensPerBatch` they are
 * packed so that micro-batches are nearly full; a row longer than that is a micro-batch of its own.
 *
 * @param lengthAt tokens of a row
 * @param epoch from 0
 * @param rowsPassed so many of the first rows of that order are left out
 */
export function planBatches(
  count: number,
  lengthAt: (index: number) => number,
  settings: BatchSettings,
  epoch: number,
  rowsPassed = 0,
): Generator<number[]> {
  const { shuffle, seed, maxTokensPerBatch } = settings;
  const order = shuffle ? shuffledIndices(count, (seed + epoch) >>> 0) : undefined;
  const left = count - rowsPassed;
  const at = (position: number) => order?.[rowsPassed + position] ?? rowsPassed + position;
  if (maxTokensPerBatch === null) return bySize(left, at, lengthAt, settings);
  if (!shuffle) return inTurn(left, at, lengthAt, maxTokensPerBatch);
  return packed(left, at, lengthAt, maxTokensPerBatch, settings.gradientAccumulationSteps);
}

function* bySize(
  count: number,
  at: (position: number) => number,
  lengthAt: (index: number) => number,
  { batchSize, gradientAccumulationSteps, shuffle }: BatchSettings,
): Generator<number[]> {
  const window = batchSize * gradientAccumulationSteps;
  for (let start = 0; start < count; start += shuffle ? window : batchSize) {
    const rows = indices(start, Math.min(count, start + (shuffle ? window : batchSize)), at);
    if (shuffle) yield* deal(rows, lengthAt, Math.ceil(rows.length / batchSize), batchSize);
    else yield rows;
  }
}

/** Fills one micro-batch after the other in the order of the rows. */
function* inTurn(
  count: number,
  at: (position: number) => number,
  lengthAt: (index: number) => number,
  most: number,
): Generator<number[]> {
  let batch: number[] = [];
  let tokens = 0;
  for (let position = 0; position < count; position++) {
    const row = at(position);
    const length = lengthAt(row);
    if (batch.length > 0 && tokens + length > most) {
      yield batch;
      [batch, tokens] = [[], 0];
    }
    batch.push(row);
    tokens += length;
  }
  if (batch.length > 0) yield batch;
}

/**
 * Packs the rows of about one optimizer step at a time, longest first, each into the first micro-batch with room for it.
 * The emptiest micro-batch of a step goes into the next step's packing, until the epoch ends.
 */
function* packed(
  count: number,
  at: (position: number) => number,
  lengthAt: (index: number) => number,
  most: number,
  perStep: number,
): Generator<number[]> {
  let rest: number[] = [];
  for (let position = 0; position < count;) {
    const rows = rest;
    let tokens = rows.reduce((sum, row) => sum + lengthAt(row), 0);
    while (position < count && tokens < most * perStep) {
      const row = at(position++);
      rows.push(row);
      tokens += lengthAt(row);
    }
    const bins = pack(rows, lengthAt, most);
    const isLast = position === count;
    const emptiest = bins.reduce((least, bin) => (bin.tokens < least.tokens ? bin : least));
    const keepsOne = !isLast && bins.length > 1 && emptiest.tokens < most;
    rest = keepsOne ? emptiest.rows : [];
    for (const bin of bins) if (!keepsOne || bin !== emptiest) yield bin.rows;
  }
}

function pack(rows: number[], lengthAt: (index: number) => number, most: number) {
  const bins: { rows: number[]; tokens: number }[] = [];
  for (const row of byLength(rows, lengthAt)) {
    const length = lengthAt(row);
    const bin = bins.find(({ tokens }) => tokens + length <= most);
    if (bin === undefined) bins.push({ rows: [row], tokens: length });
    else {
      bin.rows.push(row);
      bin.tokens += length;
    }
  }
  return bins;
}

/** Longest first; rows of the same length in the order they came. */
function byLength(rows: readonly number[], lengthAt: (index: number) => number): number[] {
  return [...rows].sort((a, b) => lengthAt(b) - lengthAt(a));
}

function indices(start: number, end: number, at: (position: number) => number): number[] {
  return Array.from({ length: end - start }, (_, offset) => at(start + offset));
}

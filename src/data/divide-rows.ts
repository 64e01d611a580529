import { shuffledIndices } from './seeded-random.js';

// The rows held out and those kept of a larger dataset stay the same from run to run, whatever the seed of the run, so
// that runs can be compared. It is the Python package's number too.
const selectionSeed = 42;
const smallEval = 10; // rows of a validation set that are never trimmed away

/** The rows of a dataset after holding out and trimming. */
export interface DividedRows<Row> {
  train: Row[];
  eval: Row[];
  /** Whether K left training rows out. */
  isTrimmed: boolean;
}

/**
 * Divides the usable rows of a dataset. Without a validation split one row in twenty (rounded up) is held out of the
 * training rows, none of a single row. Then K training rows are kept (a seeded sample, in their order), and a validation set
 * of more than ten rows shrinks in proportion, but not below ten.
 */
export function divideRows<Row>(
  train: readonly Row[],
  validation: readonly Row[] | undefined,
  limit: number | null,
): DividedRows<Row> {
  let rows = [...train];
  let held = [...(validation ?? [])];
  if (validation === undefined && train.length > 1) {
    const count = Math.ceil(train.length / 20);
    const chosen = new Set(shuffledIndices(train.length, selectionSeed).subarray(0, count));
    held = train.filter((_, index) => chosen.has(index));
    rows = train.filter((_, index) => !chosen.has(index));
  }
  if (limit === null || rows.length <= limit) return { train: rows, eval: held, isTrimmed: false };
  const share = roundHalfEven((limit * held.length) / rows.length);
  const kept = held.length > smallEval ? Math.max(share, smallEval) : held.length;
  return { train: sample(rows, limit), eval: sample(held, kept), isTrimmed: true };
}

function sample<Row>(rows: readonly Row[], count: number): Row[] {
  if (count >= rows.length) return [...rows];
  const chosen = shuffledIndices(rows.length, selectionSeed).subarray(0, count).sort();
  return Array.from(chosen, (index) => rows[index] as Row);
}

/** Python's `round`. */
function roundHalfEven(value: number): number {
  const below = Math.floor(value);
  const isHalf = value - below === 0.5;
  return isHalf && below % 2 === 0 ? below : Math.round(value);
}

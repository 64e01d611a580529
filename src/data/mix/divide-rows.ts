import { shuffledIndices } from '../../common/seeded-random.js';

// The rows held out and those kept of a larger dataset stay the same from run to run, whatever the seed of the run, so
// that runs can be compared. It is the Python package's number too.
const selectionSeed = 42;
const smallEval = 10; // rows of a validation set that are never trimmed away

/** Which rows of a dataset are left after holding out and trimming: their indices, ascending. */
export interface DividedRows {
  train: Uint32Array;
  /** Of the validation rows, or of the training rows where there are none. */
  eval: Uint32Array;
  /** Whether K left training rows out. */
  isTrimmed: boolean;
}

/**
 * Divides the usable rows of a dataset. Without a validation split one row in twenty (rounded up) is held out of the
 * training rows, none of a single row. Then K training rows are kept (a seeded sample, in their order), and a validation set
 * of more than ten rows shrinks in proportion, but not below ten.
 *
 * @param train how many training rows there are
 * @param validation how many validation rows; undefined where there is no such split
 * @param limit K, or null
 */
export function divideRows(train: number, validation: number | undefined, limit: number | null): DividedRows {
  let rows = range(train);
  let held = range(validation ?? 0);
  if (validation === undefined && train > 1) {
    const chosen = new Uint8Array(train);
    for (const index of shuffledIndices(train, selectionSeed).subarray(0, Math.ceil(train / 20))) {
      chosen[index] = 1;
    }
    held = rows.filter((index) => chosen[index] === 1);
    rows = rows.filter((index) => chosen[index] === 0);
  }
  if (limit === null || rows.length <= limit) return { train: rows, eval: held, isTrimmed: false };
  const share = roundHalfEven((limit * held.length) / rows.length);
  const kept = held.length > smallEval ? Math.max(share, smallEval) : held.length;
  return { train: sample(rows, limit), eval: sample(held, kept), isTrimmed: true };
}

function range(count: number): Uint32Array {
  const indices = new Uint32Array(count);
  for (let index = 0; index < count; index++) indices[index] = index;
  return indices;
}

function sample(rows: Uint32Array, count: number): Uint32Array {
  if (count >= rows.length) return rows;
  const chosen = shuffledIndices(rows.length, selectionSeed).subarray(0, count).sort();
  return chosen.map((index) => rows[index] as number);
}

/** Python's `round`. */
function roundHalfEven(value: number): number {
  const below = Math.floor(value);
  const isHalf = value - below === 0.5;
  return isHalf && below % 2 === 0 ? below : Math.round(value);
}

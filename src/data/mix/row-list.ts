import { AdaptiveTrainerError } from '../../errors.js';
import type { TrainingRow } from '../../events/training-row.js';

type RowLength = (index: number) => number;
const lengthsOf = new WeakMap<readonly TrainingRow[], RowLength>();

/** Facts about rows that need no reading of them. */
export interface KnownRows {
  /** Every row can be trained on, and its ids are below this. */
  vocabSize: number;
  /** A hash of all that is in them, in their order. */
  digest: () => string;
}
const known = new WeakMap<readonly TrainingRow[], KnownRows>();

/**
 * Returns an array whose rows are made when they are read, so that its memory does not grow with their number. Whatever only
 * reads an array works on it, `Array.isArray` too. Changing it throws; `[...rows]` is a copy that can be changed.
 *
 * @param rowAt makes the row at an index from 0 to length − 1
 * @param lengthAt tokens of that row, without making it
 * @param facts what is known of all of them
 */
export function rowList(
  length: number,
  rowAt: (index: number) => TrainingRow,
  lengthAt: RowLength,
  facts?: KnownRows,
): readonly TrainingRow[] {
  const indexOf = (key: string | symbol): number => {
    const index = typeof key === 'string' && /^(0|[1-9]\d*)$/.test(key) ? Number(key) : -1;
    return index < length ? index : -1;
  };
  const refuse = (): never => {
    const message =
      'Expected these rows to be left unchanged, since they are read from disk. Change a copy: [...rows].';
    throw new AdaptiveTrainerError('INVALID_INPUT', message);
  };
  const list = new Proxy<TrainingRow[]>([], {
    get(target, key, receiver) {
      if (key === 'length') return length;
      const index = indexOf(key);
      return index < 0 ? (Reflect.get(target, key, receiver) as unknown) : rowAt(index);
    },
    has: (target, key) => indexOf(key) >= 0 || Reflect.has(target, key),
    ownKeys: () => [...Array.from({ length }, (_, index) => String(index)), 'length'],
    getOwnPropertyDescriptor(target, key) {
      if (key === 'length') return { value: length, writable: true, enumerable: false, configurable: false };
      const index = indexOf(key);
      if (index < 0) return Reflect.getOwnPropertyDescriptor(target, key);
      return { value: rowAt(index), writable: true, enumerable: true, configurable: true };
    },
    set: refuse,
    defineProperty: refuse,
    deleteProperty: refuse,
  });
  lengthsOf.set(list, lengthAt);
  if (facts !== undefined) known.set(list, facts);
  return list;
}

/** Tokens of one of these rows; for those of a `rowList` without reading it. */
export function rowLength(rows: readonly TrainingRow[], index: number): number {
  return lengthsOf.get(rows)?.(index) ?? (rows[index] as TrainingRow).inputIds.length;
}

/** What is known of the rows of a `rowList`; undefined for any other array. */
export function knownRows(rows: readonly TrainingRow[]): KnownRows | undefined {
  return known.get(rows);
}

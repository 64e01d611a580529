import { rowLength } from '../../data/mix/row-list.js';
import type { InspectedSet } from '../../events/token-record.js';
import type { TrainingRow } from '../../events/training-row.js';

/** A row that is judged. */
export interface ChosenRow {
  set: InspectedSet;
  /** Its number within its set. */
  row: number;
  content: TrainingRow;
}

/** How many rows, and tokens of rows, are wanted at most. */
export interface Bounds {
  rows: number;
  /** Where they allow for fewer, `leastRows` are taken all the same. */
  tokens: number;
  leastRows: number;
}

/** More rows than these are not looked at one by one. */
const mostLookedAt = 20_000;

/** Some rows of a set: as many of each dataset, as far as it has them, evenly spread over it. The same for the same rows and bounds. */
export function chooseRows(
  set: InspectedSet,
  rows: readonly TrainingRow[],
  { rows: most, tokens, leastRows }: Bounds,
): ChosenRow[] {
  const chosen: ChosenRow[] = [];
  let taken = 0;
  for (const row of spread(rows, most)) {
    taken += rowLength(rows, row);
    if (taken > tokens && chosen.length >= leastRows) break;
    chosen.push({ set, row, content: rows[row]! });
  }
  return chosen.sort((a, b) => a.row - b.row);
}

/** Indices of rows, in turn of each dataset, so that any number of the first ones are spread over all of them. */
function spread(rows: readonly TrainingRow[], most: number): number[] {
  const groups = new Map<string, number[]>();
  for (const row of evenly(rows.length, mostLookedAt)) {
    const { source, learningStyle } = rows[row]!;
    const key = JSON.stringify([source, learningStyle]);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [row]);
    else group.push(row);
  }
  const lists = [...groups.values()].sort((a, b) => a.length - b.length);
  let left = most;
  // What a small dataset leaves, the larger ones have.
  const shares = lists.map((list, at) => {
    const share = Math.min(list.length, Math.ceil(left / (lists.length - at)));
    left -= share;
    return halving(evenly(list.length, share)).map((index) => list[index]!);
  });
  const longest = Math.max(0, ...shares.map(({ length }) => length));
  return Array.from({ length: longest }, (_, at) => shares.flatMap((share) => share[at] ?? [])).flat();
}

/** At most `count` numbers below `length`, evenly spaced. */
function evenly(length: number, count: number): number[] {
  const taken = Math.min(length, count);
  return Array.from({ length: taken }, (_, at) => Math.floor((at * length) / taken));
}

/** The same list in such an order that its beginning is spread over all of it. */
function halving<T>(list: readonly T[]): T[] {
  const reversed = (index: number) => {
    let bits = 0;
    for (let bit = 0; bit < 20; bit++) bits = (bits << 1) | ((index >> bit) & 1);
    return bits;
  };
  return list
    .map((item, index) => ({ item, key: reversed(index) }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item);
}

import type { InspectedRow } from '../../src/events/token-record.js';
import type { Inspection, PackedJudgements, RunReport } from '../../src/report/run-report.js';

/** A row with what the models make of it, and what it is found by. */
export interface ListedRow {
  row: InspectedRow;
  before: PackedJudgements | undefined;
  after: PackedJudgements | undefined;
  /** Of the newest model: mean nll of the trained tokens. */
  nll: number;
  /** That of the older one; absent where there is none. */
  nllBefore?: number;
}

/** Which rows are shown, and in which order. */
export interface Filter {
  dataset: string;
  style: string;
  set: string;
  /** Which tokens: all, by case now, or by how their case changed. */
  tokens: TokenFilter;
  search: string;
  order: Order;
}

export type TokenFilter = 'all' | 'changed' | 'learned' | 'lost' | 'correct' | 'among' | 'outside';
export type Order = 'worst' | 'lost' | 'gained' | 'data';

/** The newest judgement of a row. */
export const newest = ({ before, after }: ListedRow): PackedJudgements => (after ?? before)!;

export function listRows({ inspection }: RunReport): ListedRow[] {
  const { rows, before, after } = inspection as Inspection;
  const [earlier, later] = [byRow(before), byRow(after)];
  return rows.flatMap((row) => {
    const name = nameOf(row);
    const listed = { row, before: earlier?.get(name), after: later?.get(name), nll: 0 };
    if (listed.before === undefined && listed.after === undefined) return [];
    const both = listed.before !== undefined && listed.after !== undefined;
    return [
      { ...listed, nll: mean(newest(listed).nll), ...(both ? { nllBefore: mean(listed.before!.nll) } : {}) },
    ];
  });
}

const nameOf = ({ set, row }: { set: string; row: number }) => `${set} ${row}`;
const byRow = (list: PackedJudgements[] | undefined) =>
  list && new Map(list.map((one) => [nameOf(one), one]));
const mean = (values: readonly number[]) =>
  values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);

/** Whether a trained token is one of those that are looked for; `index` counts trained tokens. */
export function isWanted({ before, after }: ListedRow, index: number, wanted: TokenFilter): boolean {
  if (wanted === 'all') return true;
  const now = (after ?? before)!.outcome[index];
  const was = before?.outcome[index];
  switch (wanted) {
    case 'correct':
      return now === 0;
    case 'among':
      return now === 1;
    case 'outside':
      return now === 2;
    case 'changed':
      return after !== undefined && was !== undefined && was !== now;
    case 'learned':
      return after !== undefined && was !== undefined && was !== 0 && now === 0;
    case 'lost':
      return after !== undefined && was === 0 && now !== 0;
  }
}

/** The rows that are looked for, in order. */
export function find(rows: readonly ListedRow[], filter: Filter): ListedRow[] {
  const { dataset, style, set, tokens, search } = filter;
  const words = search.trim().toLowerCase();
  const found = rows.filter(
    (listed) =>
      (dataset === '' || listed.row.dataset === dataset) &&
      (style === '' || listed.row.style === style) &&
      (set === '' || listed.row.set === set) &&
      (tokens === 'all' || listed.row.trained.some((_, i) => isWanted(listed, i, tokens))) &&
      (words === '' || listed.row.pieces.join('').toLowerCase().includes(words)),
  );
  const change = (listed: ListedRow) => listed.nll - (listed.nllBefore ?? listed.nll);
  const orders: Record<Order, (a: ListedRow, b: ListedRow) => number> = {
    worst: (a, b) => b.nll - a.nll,
    lost: (a, b) => change(b) - change(a),
    gained: (a, b) => change(a) - change(b),
    data: () => 0,
  };
  return found.sort(orders[filter.order]);
}

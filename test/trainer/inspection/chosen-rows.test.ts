import { describe, expect, it } from 'vitest';
import type { TrainingRow } from '../../../src/events/training-row.js';
import { chooseRows } from '../../../src/trainer/inspection/chosen-rows.js';

const rowsOf = (source: string, count: number, length = 10): TrainingRow[] =>
  Array.from({ length: count }, (_, at) => {
    const inputIds = Array.from({ length }, () => at);
    return { inputIds, labels: inputIds, learningStyle: 'ideas', source };
  });
const all = { rows: 1000, tokens: Infinity, leastRows: 0 };
const counts = (rows: readonly TrainingRow[], bounds: Partial<typeof all>) => {
  const chosen = chooseRows('eval', rows, { ...all, ...bounds });
  const bySource: Record<string, number> = {};
  for (const { content } of chosen) bySource[content.source!] = (bySource[content.source!] ?? 0) + 1;
  return bySource;
};

describe('chooseRows', () => {
  const rows = [...rowsOf('large', 300), ...rowsOf('small', 5), ...rowsOf('middle', 100)];

  it('takes as many of each dataset, what a small one leaves of the others', () => {
    expect(counts(rows, { rows: 105 })).toEqual({ large: 50, small: 5, middle: 50 });
    expect(counts(rows, {})).toEqual({ large: 300, small: 5, middle: 100 });
    expect(counts([], {})).toEqual({});
  });

  it('takes no more tokens than are wanted, from all over each dataset, but the least number of rows', () => {
    expect(counts(rows, { tokens: 305 })).toEqual({ large: 12, small: 5, middle: 13 });
    const few = chooseRows('eval', rowsOf('a', 1000), { ...all, rows: 200, tokens: 80 });
    expect(few.length).toBe(8);
    expect(new Set(few.map(({ row }) => Math.floor(row / 125))).size).toBeGreaterThanOrEqual(7);
    expect(counts(rowsOf('a', 50, 1000), { tokens: 10, leastRows: 8 })).toEqual({ a: 8 });
  });

  it('numbers the rows within their set, and chooses the same ones again', () => {
    const chosen = chooseRows('retention', rows, { ...all, rows: 20 });
    for (const { set, row, content } of chosen) {
      expect(set).toBe('retention');
      expect(content).toBe(rows[row]);
    }
    expect(chosen.map(({ row }) => row)).toEqual([...chosen.map(({ row }) => row)].sort((a, b) => a - b));
    expect(new Set(chosen.map(({ row }) => row)).size).toBe(20);
    expect(chooseRows('retention', rows, { ...all, rows: 20 })).toEqual(chosen);
  });
});

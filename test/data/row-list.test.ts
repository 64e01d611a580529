import { describe, expect, test } from 'vitest';
import { rowLength, rowList } from '../../src/data/mix/row-list.js';
import type { TrainingRow } from '../../src/events/training-row.js';

const row = (index: number): TrainingRow => ({
  inputIds: [index, index],
  labels: [-100, index],
  learningStyle: 'misc',
});
const list = rowList(5, row, () => 2);

describe('a list of rows that are made when asked for', () => {
  test('reads like an array', () => {
    expect(Array.isArray(list)).toBe(true);
    expect(list).toHaveLength(5);
    expect(list[4]).toEqual(row(4));
    expect(list[5]).toBeUndefined();
    expect(list.at(-1)).toEqual(row(4));
    expect([...list]).toEqual([0, 1, 2, 3, 4].map(row));
    expect(list.map((one) => one.inputIds[0])).toEqual([0, 1, 2, 3, 4]);
    expect(list.slice(1, 3)).toEqual([row(1), row(2)]);
    expect(list.reduce((sum, one) => sum + one.inputIds.length, 0)).toBe(10);
    expect(list.findIndex((one) => one.labels[1] === 3)).toBe(3);
    expect(Object.keys(list)).toEqual(['0', '1', '2', '3', '4']);
    expect(list).toEqual([0, 1, 2, 3, 4].map(row));
    expect(list).not.toEqual([0, 1, 2, 3, 5].map(row));
    expect(JSON.stringify(list)).toBe(JSON.stringify([0, 1, 2, 3, 4].map(row)));
    expect(0 in list && !(5 in list)).toBe(true);
  });

  test('cannot be changed', () => {
    const writable = list as TrainingRow[];
    for (const change of [
      () => writable.push(row(5)),
      () => (writable[0] = row(1)),
      () => writable.sort(),
      () => (writable.length = 0),
    ]) {
      expect(change).toThrow(
        expect.objectContaining({ code: 'INVALID_INPUT', message: expect.stringContaining('[...rows]') }),
      );
    }
  });

  test('gives lengths without making rows', () => {
    const made: number[] = [];
    const watched = rowList(
      3,
      (index) => (made.push(index), row(index)),
      (index) => index + 10,
    );
    expect([0, 1, 2].map((index) => rowLength(watched, index))).toEqual([10, 11, 12]);
    expect(made).toEqual([]);
    expect(rowLength([row(0)], 0)).toBe(2);
  });
});

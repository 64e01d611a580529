import { describe, expect, test } from 'vitest';
import { mixOrder } from '../../src/data/mix/mix-order.js';
import { planMixing, type Mixing } from '../../src/config/datasets/plan-mixing.js';

const interleave = (stop: Mixing['stop'], ...probabilities: number[]): Mixing => ({
  mode: 'interleave',
  stop,
  probabilities,
});

function countsOf(order: Uint32Array, sizes: readonly number[]): Map<number, number>[] {
  const counts = sizes.map(() => new Map<number, number>());
  for (const number of order) {
    let [dataset, row] = [0, number];
    while (row >= sizes[dataset]!) row -= sizes[dataset++]!;
    counts[dataset]!.set(row, (counts[dataset]!.get(row) ?? 0) + 1);
  }
  return counts;
}

describe('mixOrder', () => {
  test('concat has every row once, in an order of the seed', () => {
    const mixing: Mixing = { mode: 'concat', probabilities: [0.5, 0.5], stop: 'first_exhausted' };
    const order = mixOrder([30, 12], mixing, 1);
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 42 }, (_, index) => index));
    expect(mixOrder([30, 12], mixing, 1)).toEqual(order);
    expect(mixOrder([30, 12], mixing, 2)).not.toEqual(order);
  });

  test('first_exhausted ends with the last row of one dataset and repeats none', () => {
    const sizes = [2000, 100, 5000];
    const order = mixOrder(sizes, interleave('first_exhausted', 0.6, 0.1, 0.3), 3);
    const counts = countsOf(order, sizes);
    expect(counts.some((rows, dataset) => rows.size === sizes[dataset])).toBe(true);
    for (const rows of counts) expect(Math.max(...rows.values())).toBe(1);
    const drawn = counts.map((rows) => rows.size);
    for (const [dataset, share] of [0.6, 0.1, 0.3].entries()) {
      expect(drawn[dataset]! / order.length).toBeCloseTo(share, 1);
    }
  });

  test('all_exhausted has every row, and those of small datasets about equally often', () => {
    const sizes = [400, 20];
    const order = mixOrder(sizes, interleave('all_exhausted', 0.5, 0.5), 3);
    const [large, small] = countsOf(order, sizes);
    expect([large!.size, small!.size]).toEqual(sizes);
    expect(Math.max(...large!.values())).toBe(1);
    expect(Math.max(...small!.values()) - Math.min(...small!.values())).toBeLessThanOrEqual(1);
    expect(Math.min(...small!.values())).toBeGreaterThan(10);
  });
});

describe('planMixing', () => {
  const plans = [{ name: 'a' }, { name: 'b' }];

  test('scales, and takes names with their K', () => {
    const mixing = planMixing({ mixing: 'interleave', mixingProbabilities: { 'a:|:50': 3, b: 1 } }, plans);
    expect(mixing).toEqual({ mode: 'interleave', probabilities: [0.75, 0.25], stop: 'first_exhausted' });
    expect(planMixing({}, plans)).toMatchObject({ mode: 'concat', probabilities: [0.5, 0.5] });
  });

  test('tells all that is wrong at once', () => {
    const wrong = () => planMixing({ mixing: 'interleave', mixingProbabilities: { a: 0, bb: 1 } }, plans);
    expect(wrong).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        message: expect.stringMatching(/greater than 0 for "a".*"bb".*for "b", received nothing/s),
      }),
    );
    expect(() => planMixing({ mixingProbabilities: { a: 1, b: 1 } }, plans)).toThrow(
      /set mixing to "interleave"/,
    );
  });
});

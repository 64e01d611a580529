import { describe, expect, it } from 'vitest';
import { bootstrap } from '../../../src/trainer/inspection/bootstrap.js';
import { compareTallies, type RowPlace, type RowTally } from '../../../src/trainer/inspection/compare.js';
import { randomNumbers } from '../../helpers/random.js';

const place = (dataset: string, set: RowPlace['set'] = 'eval'): RowPlace => ({
  set,
  dataset,
  style: 'ideas',
});
const tally = (tokens: number, nll: number, correct = 0, nearOrCorrect = 0): RowTally => ({
  ...{ tokens, nll, correct, nearOrCorrect },
});

describe('bootstrap', () => {
  it('gives the mean per token, and the interval that a normal distribution has', () => {
    const random = randomNumbers(7);
    const rows = Array.from({ length: 400 }, () => ({ value: 2 * random() - 1 + 0.3, tokens: 1 }));
    const { value, low, high } = bootstrap(rows);
    const mean = rows.reduce((sum, row) => sum + row.value, 0) / 400;
    const deviation = Math.sqrt(rows.reduce((sum, row) => sum + (row.value - mean) ** 2, 0) / 399 / 400);
    expect(value).toBeCloseTo(mean, 12);
    expect(Math.abs(low - (mean - 1.96 * deviation))).toBeLessThan(0.15 * deviation);
    expect(Math.abs(high - (mean + 1.96 * deviation))).toBeLessThan(0.15 * deviation);
    expect(bootstrap(rows)).toEqual({ value, low, high });
  });

  it('counts a row by its tokens', () => {
    const { value } = bootstrap([
      { value: 9, tokens: 3 },
      { value: 1, tokens: 1 },
    ]);
    expect(value).toBe(2.5);
  });
});

describe('compareTallies', () => {
  it('gives the numbers of each dataset, the held-out ones first', () => {
    const places = [place('text', 'retention'), place('a'), place('a'), place('b')];
    const before = [tally(4, 8, 1, 2), tally(2, 4, 0, 1), tally(6, 8, 3, 6), tally(1, 1, 0, 0)];
    const after = [tally(4, 12, 0, 2), tally(2, 1, 2, 2), tally(6, 3, 5, 6), tally(1, 1, 0, 0)];
    const { topK, groups } = compareTallies(places, before, after, 3);
    expect(topK).toBe(3);
    expect(groups.map(({ name, set, style, rows, tokens }) => [name, set, style, rows, tokens])).toEqual([
      ['a', 'eval', 'ideas', 2, 8],
      ['b', 'eval', 'ideas', 1, 1],
      ['text', 'retention', undefined, 1, 4],
    ]);
    const [a] = groups;
    expect(a!.before).toEqual({
      nll: 1.5,
      perplexity: Math.exp(1.5),
      correct: 3 / 8,
      inTopK: 0.5,
      outside: 1 / 8,
    });
    expect(a!.after).toMatchObject({ nll: 0.5, correct: 7 / 8, outside: 0 });
    expect(a!.nllChange.value).toBe(-1);
    expect(a!.correctChange.value).toBe(0.5);
    expect(groups[2]!.nllChange.value).toBe(1);
  });

  it.each([
    ['gained', -0.5],
    ['lost', 0.5],
    ['same', 0],
  ])('says %s only where the interval is sure of it', (verdict, shift) => {
    const random = randomNumbers(3);
    const places = Array.from({ length: 60 }, () => place('a'));
    const before = places.map(() => tally(10, 10 + 10 * random()));
    const after = before.map(({ tokens, nll }) => tally(tokens, nll + tokens * (shift + random() - 0.5)));
    expect(compareTallies(places, before, after, 1).groups[0]!.verdict).toBe(verdict);
    // Four rows that agree by chance are no proof.
    const four = places.slice(0, 4);
    expect(
      compareTallies(
        four,
        before,
        before.map((row) => ({ ...row, nll: 0 })),
        1,
      ).groups[0]!.verdict,
    ).toBe('same');
  });
});

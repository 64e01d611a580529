import { expect, test } from 'vitest';
import { seededRandom, shuffledIndices } from '../../src/common/seeded-random.js';

test('the same seed gives the same order, on every machine and in every release', () => {
  expect([...shuffledIndices(10, 42)]).toEqual([...shuffledIndices(10, 42)]);
  expect([...shuffledIndices(10, 42)]).toEqual([2, 8, 3, 4, 9, 7, 5, 0, 1, 6]);
  expect([...shuffledIndices(10, 43)]).not.toEqual([...shuffledIndices(10, 42)]);
});

test('it is a permutation', () => {
  for (const n of [0, 1, 2, 7, 1000]) {
    expect([...shuffledIndices(n, 3)].sort((a, b) => a - b)).toEqual(
      Array.from({ length: n }, (_, index) => index),
    );
  }
});

test('every number is equally likely at every place, over neighbouring seeds', () => {
  const counts = Array.from({ length: 4 }, () => [0, 0, 0, 0]);
  for (let seed = 0; seed < 8000; seed++) {
    shuffledIndices(4, seed).forEach((value, place) => {
      counts[place]![value]!++;
    });
  }
  for (const count of counts.flat()) expect(Math.abs(count - 2000)).toBeLessThan(200); // five standard deviations
});

test('numbers are in [0, 1) and use all their bits', () => {
  const random = seededRandom(Number.MAX_SAFE_INTEGER);
  const numbers = Array.from({ length: 10_000 }, random);
  expect(Math.min(...numbers)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...numbers)).toBeLessThan(1);
  expect(numbers.reduce((sum, one) => sum + one, 0) / 10_000).toBeCloseTo(0.5, 1);
  expect(new Set(numbers).size).toBeGreaterThan(9990);
});

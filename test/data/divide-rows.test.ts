import { expect, test } from 'vitest';
import { divideRows } from '../../src/data/mix/divide-rows.js';

test.each([
  // train, validation, K → train, eval
  [1000, 100, 100, 100, 10], // 100 · 100 / 1000
  [1000, 300, 100, 100, 30],
  [1000, 50, 100, 100, 10], // 5, but not below ten
  [1000, 10, 100, 100, 10], // ten rows and fewer are left alone
  [1000, 7, 100, 100, 7],
  [1000, 11, 10, 10, 10],
  [40, 25, 20, 20, 12], // 12.5, rounded as Python does
  [40, 27, 20, 20, 14], // 13.5
  [1000, 300, 1000, 1000, 300], // K leaves none out
  [1000, 300, 5000, 1000, 300],
  [1000, 300, null, 1000, 300],
])('%i and %i rows, K = %s: %i and %i', (train, validation, limit, wantedTrain, wantedEval) => {
  const divided = divideRows(train, validation, limit);
  expect([divided.train.length, divided.eval.length]).toEqual([wantedTrain, wantedEval]);
  expect(divided.isTrimmed).toBe(wantedTrain < train);
  expect(Math.max(...divided.train)).toBeLessThan(train);
  expect(Math.max(...divided.eval)).toBeLessThan(validation);
  expect(new Set(divided.eval).size).toBe(wantedEval);
  expect(new Set(divided.train).size).toBe(wantedTrain);
  expect([...divided.train]).toEqual([...divided.train].sort((a, b) => a - b));
});

test.each([
  [1000, null, 950, 50],
  [1000, 100, 100, 10], // 100 · 50 / 950 is 5
  [141, null, 133, 8], // rounded up
  [140, null, 133, 7],
  [20, null, 19, 1],
  [2, null, 1, 1],
  [1, null, 1, 0],
])('%i rows without validation, K = %s: %i and %i, disjoint', (train, limit, wantedTrain, wantedEval) => {
  const divided = divideRows(train, undefined, limit);
  expect([divided.train.length, divided.eval.length]).toEqual([wantedTrain, wantedEval]);
  expect(new Set([...divided.train, ...divided.eval]).size).toBe(wantedTrain + wantedEval);
  expect(divideRows(train, undefined, limit)).toEqual(divided);
});

test('an empty validation set is not filled from the training rows', () => {
  expect(divideRows(100, 0, null)).toMatchObject({ eval: new Uint32Array(0), isTrimmed: false });
});

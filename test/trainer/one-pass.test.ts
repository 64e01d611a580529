import { expect, it } from 'vitest';
import type { TrainingRow } from '../../src/events/training-row.js';
import { noRows, onePass, refuseOnceOnly } from '../../src/trainer/batches/one-pass.js';

const row: TrainingRow = { inputIds: [0, 1], labels: [0, 1], learningStyle: 'misc' };

async function* generate(count: number) {
  for (let i = 0; i < count; i++) yield { ...row };
}

it('refuses a generator from two passes on, and nothing that starts anew', () => {
  expect(() => refuseOnceOnly(generate(1), 'evalDataset', 1)).not.toThrow();
  expect(() => refuseOnceOnly(generate(1), 'evalDataset', 2)).toThrow(
    /can be read 2 times, found a generator/,
  );
  expect(() => refuseOnceOnly({ [Symbol.asyncIterator]: () => generate(1) }, 'evalDataset', 9)).not.toThrow();
  expect(() => refuseOnceOnly([row], 'evalDataset', 9)).not.toThrow();
});

it('tells rows that are used up from rows that never were', async () => {
  const [used, empty] = [generate(2), generate(0)];
  for (const rows of [used, empty]) for await (const _ of onePass(rows));
  expect(noRows(used, 'evalDataset', 'an evaluation').message).toMatch(
    /once more.*used up after the first time/,
  );
  expect(noRows(empty, 'evalDataset', 'an evaluation').message).toMatch(/^Expected rows in evalDataset/);
});

import { describe, expect, test } from 'vitest';
import { tempDir } from '../helpers/temp-dir.js';
import { writeTinyModel } from '../helpers/tiny-model.js';
import type { EvaluateEvent } from '../../src/events/training-event.js';
import { startRanks } from './run-ranks.js';
import { tokenizedBy } from './tokenized-by.js';
import type { RankRun } from './train.child.js';

const program = new URL('train.child.ts', import.meta.url);
const dir = writeTinyModel(tempDir());
const timeout = 300_000;

async function evaluated(size: number, evalRows: number, evalBatchSize: number): Promise<EvaluateEvent[]> {
  const args = { batchSize: 12 / size, maxSteps: 2, learningRate: 1e-3, evalBatchSize, ddpTimeout: 60 };
  const run: RankRun = { dir, args, rows: 24, evalRows, evaluates: true };
  const ranks = await startRanks(program, size, () => [JSON.stringify(run)]);
  const results = await Promise.all(ranks.map(({ result }) => result));
  return results.map(({ status, stdout }) => {
    expect(status, stdout).toBe(0);
    const { seconds: _, ...event } = (JSON.parse(stdout) as { evaluations: EvaluateEvent[] }).evaluations[0]!;
    return event as EvaluateEvent;
  });
}

/** Numbers at any depth, by their path. */
function numbersOf(value: unknown, path = ''): [string, number][] {
  if (typeof value === 'number') return [[path, value]];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, one]) => numbersOf(one, `${path}.${key}`));
}

describe('an evaluation over ranks finds what one process does', () => {
  // Of 7 rows in batches of 4 ranks the last has 3, and of 1 row three ranks have none.
  test.each([
    [4, 1, 1],
    [4, 3, 2],
    [4, 7, 1],
    [3, 10, 2],
    [2, 5, 4],
  ])('%i ranks, %i rows, %i at a time', { timeout }, async (size, rows, batch) => {
    const [expected] = await evaluated(1, rows, batch * size);
    for (const found of await evaluated(size, rows, batch)) {
      const numbers = numbersOf(found);
      expect(numbers.map(([path]) => path)).toEqual(numbersOf(expected).map(([path]) => path));
      expect(found.rows).toBe(rows);
      numbersOf(expected).forEach(([path, one], i) => {
        const difference = Math.abs(numbers[i]![1] - one) / Math.max(1, Math.abs(one));
        expect(difference, path).toBeLessThan(1e-5);
      });
    }
  });
});

describe('rows are turned into tokens', () => {
  test('once on a machine', { timeout }, async () => {
    expect(await tokenizedBy(1, {}, () => 0)).toEqual([1]);
    expect(await tokenizedBy(3, {}, () => 0)).toEqual([1, 0, 0]);
  });

  test('once on each of two machines', { timeout }, async () => {
    const env = (rank: number) => ({ LOCAL_RANK: String(rank % 2), LOCAL_WORLD_SIZE: '2' });
    expect(await tokenizedBy(4, { env }, (rank) => Math.floor(rank / 2))).toEqual([1, 0, 1, 0]);
  });
});

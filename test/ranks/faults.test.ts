import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { tempDir } from '../helpers/temp-dir.js';
import { writeTinyModel } from '../helpers/tiny-model.js';
import { startRanks } from './run-ranks.js';
import type { RankRun } from './train.child.js';

const program = new URL('train.child.ts', import.meta.url);
const dir = writeTinyModel(tempDir());
const args = { batchSize: 2, maxSteps: 12, learningRate: 1e-3, ddpTimeout: 60 };
const run: RankRun = { dir, args, rows: 40 };

interface Ended {
  rank: number;
  code?: string;
  message: string;
  details: { rank?: number; code?: string; missing?: number[]; differences?: string[]; checkpoint?: string };
  steps: number;
  digest?: string;
}

/** Trains in ranks and gives how each ended; null for one that was killed. */
async function ended(runOf: RankRun | ((rank: number) => RankRun), size: number) {
  const ranks = await startRanks(program, size, (rank) => [
    JSON.stringify(typeof runOf === 'function' ? runOf(rank) : runOf),
  ]);
  const results = await Promise.all(ranks.map(({ result }) => result));
  return results.map(({ stdout }) => (stdout === '' ? null : (JSON.parse(stdout) as Ended)));
}

const timeout = 300_000;

test.each([
  ['configuration', { args: { ...args, learningRate: 2e-3 } }, 'learningRate (0.001 at rank 0, 0.002 here)'],
  ['dataset', { rows: 41 }, 'trainDataset.rows (40 at rank 0, 41 here)'],
  ['model', { dir: writeTinyModel(tempDir(), {}, 2) }, 'model.weights'],
  ['stage of ZeRO', { args: { ...args, zeroStage: 1 } }, 'trainingConfig.zeroStage (0 at rank 0, 1 here)'],
  ['loss', { adaptiveLoss: { loss: 'ce' } }, 'adaptiveLossConfig.loss ("adaptive" at rank 0, "ce" here)'],
] as const)(
  'a rank with another %s is refused before the first step',
  { timeout },
  async (_, other, named) => {
    const [first, second] = await ended((rank) => (rank === 1 ? { ...run, ...other } : run), 2);
    expect(second).toMatchObject({ code: 'RANKS_DIFFER', steps: 0 });
    expect(second!.message).toContain(named);
    expect(first).toMatchObject({
      code: 'RANKS_FAILED',
      details: { rank: 1, code: 'RANKS_DIFFER' },
      steps: 0,
    });
    expect(first!.message).toContain(named);
  },
);

test('the error of one rank ends all, with its words', { timeout }, async () => {
  const [first, second, third] = await ended({ ...run, atRank1: 'throws' }, 3);
  expect(second).toMatchObject({ message: 'something of its own', steps: 2 });
  for (const other of [first, third]) {
    expect(other).toMatchObject({ code: 'RANKS_FAILED', details: { rank: 1 } });
    expect(other!.message).toContain('something of its own');
  }
});

// Of four, rank 0 is told by rank 1 and could end, and the ranks' store with it, long before the others look.
test('a rank that looks late still finds whose error it was', { timeout }, async () => {
  const [first, , ...late] = await ended({ ...run, rows: 60, atRank1: 'throws', pause: 1500, pauseOf: 2 }, 4);
  for (const other of [first, ...late]) {
    expect(other).toMatchObject({ code: 'RANKS_FAILED', details: { rank: 1 } });
    expect(other!.message).toContain('something of its own');
  }
});

test('a rank that hangs ends the others after ddpTimeout, and is named', { timeout }, async () => {
  const hanging = { ...run, args: { ...args, ddpTimeout: 4 }, atRank1: 'hangs' } as const;
  const ranks = await startRanks(program, 3, () => [JSON.stringify(hanging)]);
  const [first, third] = await Promise.all([ranks[0]!.result, ranks[2]!.result]);
  ranks[1]!.child.kill('SIGKILL');
  for (const { stdout } of [first, third]) {
    const found = JSON.parse(stdout) as Ended;
    expect(found).toMatchObject({ code: 'RANKS_FAILED', details: { missing: [1] }, steps: 3 });
    expect(found.message).toContain('rank 1 is gone or hangs');
  }
  await ranks[1]!.result;
});

test('a rank that never comes is named after ddpTimeout', { timeout }, async () => {
  const waiting = { ...run, args: { ...args, ddpTimeout: 3 } };
  const ranks = await startRanks(program, 2, () => [JSON.stringify(waiting)], { size: 3 });
  const results = await Promise.all(ranks.map(({ result }) => result));
  const [first, second] = results.map(({ stdout }) => JSON.parse(stdout) as Ended);
  expect(first!.code).toBe('RANKS_FAILED');
  expect(first!.message).toContain('these did not come: 2');
  // Where it comes much later than rank 0, that one's store is gone when it would say so.
  expect(second!.code).toBe('RANKS_FAILED');
});

test('a signal at any rank saves one checkpoint, and ends all', { timeout }, async () => {
  const outputDir = tempDir();
  const long = { ...run, args: { ...args, maxSteps: 500 }, outputDir, tells: true, pause: 20 };
  const ranks = await startRanks(program, 2, () => [JSON.stringify(long)]);
  await ranks[1]!.has('step 3\n');
  ranks[1]!.child.kill('SIGTERM');
  const results = await Promise.all(ranks.map(({ result }) => result));
  const [first, second] = results.map(({ stdout }) => JSON.parse(stdout) as Ended);
  const names = readdirSync(outputDir).filter((name) => name.startsWith('checkpoint-'));
  expect(names).toHaveLength(1);
  for (const one of [first!, second!])
    expect(one).toMatchObject({ code: 'ABORTED', details: { checkpoint: join(outputDir, names[0]!) } });
  expect(first!.steps).toBe(second!.steps);
});

test('stop() at one rank ends the run at all after the same step', { timeout }, async () => {
  const found = await ended({ ...run, atRank1: 'stops' }, 2);
  expect(found.map((one) => (one!.steps as unknown as unknown[]).length)).toEqual([3, 3]);
});

/** Trains with a checkpoint after every step while ranks are killed, and goes on until it is done. */
async function killed(times: number, random: () => number, zeroStage: number) {
  const outputDir = join(tempDir(), 'run');
  const saving = {
    ...run,
    args: {
      ...args,
      maxSteps: 20,
      saveStrategy: 'steps',
      saveSteps: 1,
      saveTotalLimit: 3,
      ddpTimeout: 20,
      zeroStage,
    },
    ...{ outputDir, tells: true, resume: true },
  };
  let kills = 0;
  for (let attempt = 0; attempt < 4 * times + 4; attempt++) {
    const ranks = await startRanks(program, 2, () => [JSON.stringify(saving)]);
    if (kills < times) {
      const victim = ranks[Math.floor(random() * 2)]!;
      // A step with its checkpoint takes some 30 ms: the moment may be one of either.
      await Promise.race([victim.has('step'), victim.result]);
      await delay(random() * 150);
      if (victim.child.kill('SIGKILL')) kills++;
    }
    const results = await Promise.all(ranks.map(({ result }) => result));
    const found = results.map(({ stdout }) => (stdout === '' ? null : (JSON.parse(stdout) as Ended)));
    if (found.every((one) => one?.digest !== undefined))
      return { kills, digests: found.map((one) => one!.digest) };
    for (const one of found)
      if (one !== null && one.digest === undefined) expect(one.code, one.message).toBe('RANKS_FAILED');
  }
  throw new Error('The run never came to its end.');
}

// ADAPTIVE_TRAINER_KILLS=20 for the long version.
const times = Number(process.env['ADAPTIVE_TRAINER_KILLS'] ?? 3);
test.each([0, 2])(
  `a run whose ranks are killed ${times} times ends as one that nothing disturbed, at stage %i`,
  { timeout: 900_000 },
  async (zeroStage) => {
    let seed = 12345;
    const random = () => (seed = (seed * 1103515245 + 12345) % 2 ** 31) / 2 ** 31;
    const undisturbed = await ended({ ...run, args: { ...args, maxSteps: 20 } }, 2);
    const { kills, digests } = await killed(times, random, zeroStage);
    expect(kills).toBeGreaterThan(0);
    for (const digest of digests) expect(digest).toBe(undisturbed[0]!.digest);
  },
);

test(
  'a run goes on with another number of ranks, to the last bit where the arithmetic is the same',
  { timeout },
  async () => {
    const outputDir = join(tempDir(), 'run');
    const half = {
      ...run,
      args: { ...args, batchSize: 2, maxSteps: 6, saveStrategy: 'steps', saveSteps: 6 },
      outputDir,
    };
    const [saved] = await ended(half, 4);
    expect(existsSync(join(outputDir, 'checkpoint-6'))).toBe(true);
    // Nothing left to do: what 4 ranks saved is what 1 and 2 open.
    for (const [size, batchSize] of [
      [2, 4],
      [1, 8],
    ] as const) {
      const again = { ...half, args: { ...half.args, batchSize }, resume: true };
      for (const one of await ended(again, size)) expect(one!.digest).toBe(saved!.digest);
    }
    const longer = (batchSize: number, size: number) =>
      ended(
        {
          ...half,
          args: { ...half.args, batchSize, maxSteps: 12, saveStrategy: 'no' },
          outputDir: undefined,
        },
        size,
      );
    const [whole] = await longer(2, 4);
    const on = { ...half, args: { ...half.args, batchSize: 4, maxSteps: 12 }, resume: true };
    const [gone] = await ended(on, 2);
    const last = (one: unknown) => (one as { steps: { loss: number }[] }).steps.at(-1)!.loss;
    expect(Math.abs(last(gone) - last(whole))).toBeLessThan(1e-5);
  },
);

import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { sealCheckpoint } from '../../src/trainer/checkpoint/checkpoint-files.js';
import { rotateCheckpoints } from '../../src/trainer/checkpoint/rotate-checkpoints.js';
import { tempDir } from '../helpers/temp-dir.js';

/** A folder with sealed checkpoints, each of a step and the run that wrote it. */
async function folderOf(...checkpoints: [step: number, runId: string][]): Promise<string> {
  const dir = tempDir();
  for (const [step, runId] of checkpoints) {
    const path = join(dir, `checkpoint-${step}`);
    mkdirSync(path);
    writeFileSync(join(path, 'model.safetensors'), String(step));
    await sealCheckpoint(path, { runId, step });
  }
  return dir;
}

const stepsIn = (dir: string) =>
  readdirSync(dir)
    .map((name) => Number(name.replace('checkpoint-', '')))
    .sort((a, b) => a - b);

const four: [number, string][] = [1, 2, 3, 4].map((step) => [step, 'mine']);
const newest = { runId: 'mine', step: 4 };

it.each([
  ['all where there is no limit', null, undefined, [1, 2, 3, 4]],
  ['as many as the limit says, the newest ones', 2, undefined, [3, 4]],
  ['all where they are as many as the limit', 4, undefined, [1, 2, 3, 4]],
  ['the best one in place of a newer one', 2, 1, [1, 4]],
  ['the best one where it is among the newest too', 2, 3, [3, 4]],
  ['the newest and the best one where the limit is one', 1, 2, [2, 4]],
  ['the newest alone where it is the best and the limit is one', 1, 4, [4]],
] as const)('keeps %s', async (_, limit, best, kept) => {
  const dir = await folderOf(...four);
  await rotateCheckpoints(dir, limit, newest, best);
  expect(stepsIn(dir)).toEqual(kept);
});

it('neither counts nor deletes checkpoints of another run', async () => {
  const dir = await folderOf([1, 'other'], [2, 'mine'], [3, 'other'], [4, 'mine']);
  await rotateCheckpoints(dir, 2, newest, undefined);
  expect(stepsIn(dir)).toEqual([1, 2, 3, 4]);
  await rotateCheckpoints(dir, 1, newest, undefined);
  expect(stepsIn(dir)).toEqual([1, 3, 4]);
});

it('neither counts nor deletes later checkpoints of the run, which it may have gone back behind', async () => {
  const dir = await folderOf(...four, [8, 'mine']);
  await rotateCheckpoints(dir, 4, newest, undefined);
  expect(stepsIn(dir)).toEqual([1, 2, 3, 4, 8]);
});

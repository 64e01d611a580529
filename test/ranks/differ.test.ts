import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { tempDir } from '../helpers/temp-dir.js';
import { writeTinyModel } from '../helpers/tiny-model.js';
import { startRanks } from './run-ranks.js';
import type { RankRun } from './train.child.js';

const program = new URL('train.child.ts', import.meta.url);
const root = fileURLToPath(new URL('../../', import.meta.url));
const args = { batchSize: 2, maxSteps: 4, learningRate: 1e-3, ddpTimeout: 60 };
const adapter = { r: 4, loraAlpha: 8, targetModules: ['q_proj', 'v_proj'] };
const retention = { source: 'guarded', weight: 0.5, tokensPerStep: 40 };
const run: RankRun = { dir: writeTinyModel(tempDir()), args, rows: 40 };
const timeout = 300_000;

interface Ended {
  code: string;
  message: string;
  details: { rank?: number; code?: string; differences?: string[] };
  steps: number;
}

/** Trains in three ranks, of which the last has another program or run. */
async function ended(others: { program?: URL; run?: Partial<RankRun> }, all: Partial<RankRun> = {}) {
  const of = (rank: number) => ({ ...run, ...all, ...(rank === 2 ? others.run : {}) });
  const ranks = await startRanks(program, 3, (rank) => [JSON.stringify(of(rank))], {
    program: (rank) => (rank === 2 ? others.program : undefined),
  });
  const results = await Promise.all(ranks.map(({ result }) => result));
  return results.map(({ status, stdout, stderr }) => {
    expect(status, stderr).toBe(1);
    return JSON.parse(stdout) as Ended;
  });
}

/** All ended before a step: one knows how it differs, and the others are told in its words. */
function expectRefused(found: readonly Ended[], named: string) {
  const [first, second, third] = found;
  expect(third).toMatchObject({ code: 'RANKS_DIFFER', details: { rank: 2 }, steps: 0 });
  expect(third!.message).toContain(named);
  for (const other of [first, second]) {
    expect(other).toMatchObject({
      code: 'RANKS_FAILED',
      details: { rank: 2, code: 'RANKS_DIFFER' },
      steps: 0,
    });
    expect(other!.message).toContain(named);
  }
}

/** This package as another version, whose program is the same but for that. */
function otherVersion(version: string): URL {
  const folder = tempDir();
  for (const name of ['src', 'test/ranks', 'test/helpers', 'libtorch.json', 'tsconfig.json'])
    cpSync(join(root, name), join(folder, name), { recursive: true });
  for (const name of ['node_modules', 'build']) symlinkSync(join(root, name), join(folder, name));
  const described = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as object;
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ ...described, version }));
  return pathToFileURL(join(folder, 'test', 'ranks', 'train.child.ts'));
}

describe('a rank that differs ends all before the first step', () => {
  test('in the version of this package', { timeout }, async () => {
    const found = await ended({ program: otherVersion('9.8.7') });
    expectRefused(found, '"9.8.7" here');
    expect(found[2]!.details.differences).toHaveLength(1);
  });

  test('in its libtorch', { timeout }, async () => {
    const found = await ended({ program: new URL('other-libtorch.child.ts', import.meta.url) });
    expectRefused(found, '"2.12.0" here');
  });

  test.each<[string, Partial<RankRun>, string, Partial<RankRun>?]>([
    [
      'what it computes in',
      { args: { ...args, precision: 'bf16' } },
      'precision ("fp32" at rank 0, "bf16" here)',
    ],
    ['the content of its rows', { styles: ['misc', 'ideas'] }, 'trainDataset.content'],
    ['the rows that it evaluates on', { evalRows: 8 }, 'evalDataset.content', { evalRows: 9 }],
    ['having none to evaluate on', { evalRows: undefined }, 'evalDataset.content', { evalRows: 9 }],
    [
      'the rank of its adapter',
      { adapter: { ...adapter, r: 2 } },
      'adapter.r (4 at rank 0, 2 here)',
      { adapter },
    ],
    ['having an adapter', { adapter }, 'adapter.r (none at rank 0, 4 here)'],
    ['what it retains', { texts: 7 }, 'retention.rows', { texts: 9, args: { ...args, retention } }],
    ['ddpTimeout', { args: { ...args, ddpTimeout: 61 } }, 'ddpTimeout (60 at rank 0, 61 here)'],
    ['its optimizer', { args: { ...args, optimizer: 'sgd' } }, 'trainingConfig.optimizer'],
    ['its seed', { args: { ...args, seed: 5 } }, 'trainingConfig.seed'],
    ['how often it saves', { args: { ...args, saveSteps: 7 } }, 'trainingConfig.saveSteps'],
  ])('in %s', { timeout }, async (_, other, named, all) => {
    expectRefused(await ended({ run: other }, all), named);
  });

  test('in where its files are, or its threads, it may', { timeout }, async () => {
    const ranks = await startRanks(program, 2, (rank) => [
      JSON.stringify({ ...run, outputDir: tempDir(), args: { ...args, threads: rank + 1 } }),
    ]);
    for (const { status, stdout } of await Promise.all(ranks.map(({ result }) => result)))
      expect(status, stdout).toBe(0);
  });
});

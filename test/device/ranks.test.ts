// Several processes that train together on a device, by way of the host.
import { beforeAll, describe, expect, test } from 'vitest';
import { startRanks } from '../ranks/run-ranks.js';
import type { RankRun } from '../ranks/train.child.js';
import { tempDir } from '../helpers/temp-dir.js';
import { writeTinyModel } from '../helpers/tiny-model.js';
import { buildTimeout, canBuild, guardedDevice } from './guarded-device.js';
import { expectSteps, program, trainedOn } from './train-on.js';

const timeout = 300_000;
// Matrices of more than 4,096 values, which optimizers in 8 bits keep in blocks.
const dir = writeTinyModel(tempDir(), { vocab_size: 131, hidden_size: 64, intermediate_size: 96 });
const adapter = { r: 4, loraAlpha: 8, targetModules: ['q_proj', 'v_proj'] };
const retention = { source: 'guarded', weight: 0.5, tokensPerStep: 40, pullToBase: 2 };
const args = { numEpochs: 2, learningRate: 1e-3, shuffle: true, maxGradNorm: 0.5, weightDecay: 0.01 };
const uneven = ['ideas', 'ideas', 'ideas', 'attention', 'misc', 'ideas', 'both'] as const;
const run = { dir, args, rows: 40, styles: uneven } satisfies RankRun;

interface Ended {
  rank: number;
  code: string;
  message: string;
  details?: { missing?: number[]; rank?: number; code?: string };
}

describe.runIf(canBuild)('ranks on a device', () => {
  let environment: (bytes?: number) => NodeJS.ProcessEnv;
  beforeAll(() => void (environment = guardedDevice()), buildTimeout);

  /** Starts two ranks of a run that goes on for long, with so much memory at rank 1. */
  const start = (changes: Partial<RankRun>, bytes?: number) => {
    const long = {
      ...run,
      device: 'cuda',
      tells: true,
      ...changes,
      args: { ...args, numEpochs: 99, batchSize: 6, ddpTimeout: 20 },
    };
    return startRanks(program, 2, () => [JSON.stringify(long)], {
      env: (rank) => environment(rank === 1 ? bytes : undefined),
    });
  };

  test.each<[string, Partial<RankRun>]>([
    ['whole weights', {}],
    ['8-bit moments', { args: { ...args, optimizer: 'adamw_8bit' } }],
    ['an adapter', { adapter }],
    ['retention', { texts: 9, args: { ...args, retention } }],
    ['windows of several micro-batches', { args: { ...args, gradientAccumulationSteps: 2 } }],
  ])('%s: two ranks are one process, whatever they share out', { timeout }, async (_, changes) => {
    const changed = { ...run, ...changes };
    const [one] = await trainedOn(environment(), changed);
    const digests = new Set<string>();
    for (const zeroStage of [0, 1, 2]) {
      const ranks = await trainedOn(environment(), { ...changed, args: { ...changed.args, zeroStage } }, 2);
      for (const found of ranks) {
        expectSteps(found.steps, one!.steps, 2e-5);
        // Stage 2 sums after every micro-batch, and so rounds otherwise where a window has several.
        if (zeroStage < 2 || !('gradientAccumulationSteps' in changed.args)) digests.add(found.digest);
      }
      expect(ranks[0]!.warnings).toContain('RANKS_BY_HOST');
      expect(new Set(ranks.map(({ digest }) => digest)).size).toBe(1);
    }
    expect(digests.size).toBe(1);
  });

  test('an evaluation is spread over ranks', { timeout }, async () => {
    const evaluated = { ...run, evalRows: 37, evaluates: true, args: { ...args, numEpochs: 1 } };
    const [one] = await trainedOn(undefined, evaluated);
    for (const { evaluations } of await trainedOn(environment(), evaluated, 2)) {
      expect(evaluations[0]!.loss).toBeCloseTo(one!.evaluations[0]!.loss, 4);
      expect(evaluations[0]!.rows).toBe(37);
    }
  });

  test('a rank that is killed is named', { timeout }, async () => {
    const ranks = await start({ pause: 20 });
    await ranks[1]!.has('step 3\n');
    ranks[1]!.child.kill('SIGKILL');
    const { stdout } = await ranks[0]!.result;
    const found = JSON.parse(stdout) as Ended;
    expect(found).toMatchObject({ code: 'RANKS_FAILED', details: { missing: [1] } });
    expect(found.message).toContain('rank 1 is gone or hangs');
    await ranks[1]!.result;
  });

  test('a rank whose device refuses memory says so, and the other names it', { timeout }, async () => {
    const ranks = await start({}, 2 ** 20);
    const results = await Promise.all(ranks.map(({ result }) => result));
    const [first, second] = results.map(({ stdout }) => JSON.parse(stdout) as Ended);
    expect(second).toMatchObject({ rank: 1, code: 'OUT_OF_MEMORY' });
    expect(first).toMatchObject({
      rank: 0,
      code: 'RANKS_FAILED',
      details: { rank: 1, code: 'OUT_OF_MEMORY' },
    });
  });

  test('some ranks on the device and others on the CPU are refused', { timeout }, async () => {
    const mixed = (rank: number) => JSON.stringify({ ...run, device: rank === 0 ? 'cuda' : 'cpu' });
    const ranks = await startRanks(program, 2, (rank) => [mixed(rank)], { env: () => environment() });
    const results = await Promise.all(ranks.map(({ result }) => result));
    const [first, second] = results.map(({ stdout }) => JSON.parse(stdout) as Ended);
    expect(second!.code).toBe('RANKS_DIFFER');
    expect(first!.code).toBe('RANKS_FAILED');
  });
});

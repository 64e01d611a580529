import { describe, expect, test } from 'vitest';
import { runRanks } from './run-ranks.js';
import type { RankRun } from './train.child.js';
import { tempDir } from '../helpers/temp-dir.js';
import { writeTinyModel } from '../helpers/tiny-model.js';
import type { EndEvent, EvaluateEvent, StepEvent } from '../../src/events/training-event.js';

const program = new URL('train.child.ts', import.meta.url);

interface Found {
  rank: number;
  digest: string;
  end: EndEvent;
  evaluations: EvaluateEvent[];
  steps: Pick<
    StepEvent,
    'step' | 'loss' | 'gradNorm' | 'alpha' | 'beta' | 'tokens' | 'labelledTokens' | 'divergence'
  >[];
}

/** Trains with `size` ranks, each with its share of the batch, and gives what each found. */
async function trained(run: RankRun, size: number, batch = 12): Promise<Found[]> {
  const own = { ...run, args: { ...run.args, batchSize: batch / size } };
  const results = await runRanks(program, size, [JSON.stringify(own)]);
  return results.map(({ status, stdout, stderr }) => {
    expect(stderr).toBe('');
    expect(status).toBe(0);
    return JSON.parse(stdout) as Found;
  });
}

const dir = writeTinyModel(tempDir());
// Steps of three micro-batches; 100 rows are no multiple of the batch, so that the last ones are uneven.
const args = {
  numEpochs: 6,
  gradientAccumulationSteps: 1,
  learningRate: 1e-3,
  shuffle: true,
  maxGradNorm: 0.5,
};
const uneven = ['ideas', 'ideas', 'ideas', 'attention', 'misc', 'ideas', 'both'] as const;
const adapter = { r: 4, loraAlpha: 8, targetModules: ['q_proj', 'v_proj'] };
const retention = { source: 'guarded', weight: 0.5, tokensPerStep: 40, pullToBase: 2 };
const run = { dir, args, rows: 100, styles: uneven } satisfies RankRun;

function close(found: Found[], expected: Found) {
  for (const { steps } of found) {
    expect(steps.length).toBe(expected.steps.length);
    steps.forEach((step, i) => {
      const one = expected.steps[i]!;
      expect([step.tokens, step.labelledTokens]).toEqual([one.tokens, one.labelledTokens]);
      for (const key of ['loss', 'gradNorm', 'alpha', 'beta', 'divergence'] as const) {
        if (one[key] === undefined) continue;
        // Absolute, and relative for numbers above 1.
        const difference = Math.abs(step[key]! - one[key]) / Math.max(1, Math.abs(one[key]));
        expect(difference, `${key} of step ${step.step}`).toBeLessThan(1e-5);
      }
    });
  }
  // The ranks hold the same weights to the last bit.
  expect(new Set(found.map(({ digest }) => digest)).size).toBe(1);
}

describe('N ranks with a batch of b are one process with a batch of N·b', () => {
  test('adaptive loss, 1 to 4 ranks, 54 steps, styles spread unevenly', { timeout: 600_000 }, async () => {
    const [one] = await trained(run, 1);
    expect(one!.steps.length).toBeGreaterThan(50);
    for (const size of [2, 3, 4]) close(await trained(run, size), one!);
  });

  test.each([
    ['ce', { adaptiveLoss: { loss: 'ce' } }],
    ['dft', { adaptiveLoss: { loss: 'dft' } }],
    ['eaft', { adaptiveLoss: { loss: 'eaft' } }],
    [
      'ce with label smoothing',
      { adaptiveLoss: { loss: 'ce' }, args: { ...args, labelSmoothingFactor: 0.1 } },
    ],
    ['a tokenWeights override', { weighted: true }],
    [
      'a tokenWeights override over smoothed labels',
      { weighted: true, args: { ...args, labelSmoothingFactor: 0.1 } },
    ],
    ['windows of several micro-batches', { args: { ...args, gradientAccumulationSteps: 3, numEpochs: 18 } }],
    ['rows in their own order', { args: { ...args, shuffle: false } }],
    ['a stream', { streamed: true, args: { ...args, shuffle: false, maxSteps: 50 } }],
    ['packed batches', { args: { ...args, maxTokensPerBatch: 120 } }],
    ['recomputed activations', { args: { ...args, gradientCheckpointing: true } }],
    ['adafactor', { args: { ...args, optimizer: 'adafactor' } }],
    ['an adapter', { adapter }],
    ['retention', { texts: 9, args: { ...args, retention } }],
    ['retention beside an adapter', { texts: 9, adapter, args: { ...args, retention } }],
    ['frozen layers', { args: { ...args, freeze: ['model.embed_tokens', 'model.layers.0'] } }],
  ])('%s, 2 ranks', { timeout: 600_000 }, async (_, changes) => {
    const changed = { ...run, ...changes } as RankRun;
    const [one] = await trained(changed, 1);
    expect(one!.steps.length).toBeGreaterThanOrEqual(50);
    const inRanks =
      'maxTokensPerBatch' in changed.args
        ? { ...changed, args: { ...changed.args, maxTokensPerBatch: 60 } }
        : changed;
    close(await trained(inRanks, 2), one!);
  });
});

test(
  'ranks with fewer rows than ranks, and one without rows, train as one',
  { timeout: 600_000 },
  async () => {
    const few = { ...run, rows: 5, args: { ...args, numEpochs: 4, shuffle: false } };
    const [one] = await trained(few, 1, 4);
    close(await trained(few, 4, 4), one!);
  },
);

test('an evaluation is spread over ranks and exact', { timeout: 600_000 }, async () => {
  const evaluated = {
    ...run,
    evalRows: 37,
    evaluates: true,
    args: { ...args, numEpochs: 1, evalBatchSize: 6 },
  };
  const [one] = await trained(evaluated, 1);
  const perRank = { ...evaluated, args: { ...evaluated.args, evalBatchSize: 3 } };
  for (const { evaluations } of await trained(perRank, 2)) {
    const { seconds: _, loss, adaptiveLoss, ...rest } = evaluations[0]!;
    const expected = one!.evaluations[0]!;
    expect(loss).toBeCloseTo(expected.loss, 5);
    expect(adaptiveLoss).toBeCloseTo(expected.adaptiveLoss!, 5);
    expect(rest.rows).toBe(37);
    expect(rest.tokenAccuracy).toBe(expected.tokenAccuracy);
    expect(rest.bySource).toMatchObject({ first: { rows: expected.bySource['first']!.rows } });
    expect(Object.keys(rest.byStyle).sort()).toEqual(Object.keys(expected.byStyle).sort());
  }
});

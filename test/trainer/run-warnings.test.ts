import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CausalLM } from '../../src/model/causal-lm.js';
import { AdaptiveTrainer } from '../../src/trainer/adaptive-trainer.js';
import type { AdaptiveTrainerOptions } from '../../src/trainer/adaptive-trainer-options.js';
import type { TrainingRow } from '../../src/events/training-row.js';
import { tempDir } from '../helpers/temp-dir.js';
import { tinyConfig, writeTinyModel } from '../helpers/tiny-model.js';

const fixture = new URL('../fixtures/end-to-end/llama', import.meta.url).pathname;
const { rows } = JSON.parse(readFileSync(join(fixture, 'expected.json'), 'utf8')) as { rows: TrainingRow[] };
const plain: NonNullable<AdaptiveTrainerOptions['args']> = {
  ...{ batchSize: 4, gradientAccumulationSteps: 1, maxSteps: 2, learningRate: 1e-3, warmupSteps: 0 },
  ...{ fp16: false, evalStrategy: 'no', saveStrategy: 'no' },
};

async function warningsOf(
  args: AdaptiveTrainerOptions['args'],
  options: Partial<AdaptiveTrainerOptions> = {},
  dir = fixture,
): Promise<Map<string, string>> {
  const model = await CausalLM.fromPretrained(dir);
  const warnings = new Map<string, string>();
  try {
    await new AdaptiveTrainer({
      ...{ model, trainDataset: rows, args: { ...plain, ...args }, ...options },
      callbacks: [{ onWarning: ({ code, message }) => void warnings.set(code, message) }],
    }).train();
    return warnings;
  } finally {
    model.dispose();
  }
}

describe('what a run says before its first step', () => {
  it('is nothing for one without a catch', async () => {
    expect([...(await warningsOf({}))]).toEqual([]);
  });

  it('tells of a warm-up that is as long as the run, where there is one', async () => {
    const found = await warningsOf({ warmupSteps: 2 });
    expect(found.get('WARMUP_LONGER_THAN_RUN')).toMatch(
      /rises for 2 steps .*ends after 2: it never reaches 0\.001/,
    );
    for (const args of [{ warmupSteps: 1 }, { warmupSteps: 9, lrSchedulerType: 'constant' as const }])
      expect((await warningsOf(args)).has('WARMUP_LONGER_THAN_RUN')).toBe(false);
  });

  it('tells of evaluations without rows, where one would come', async () => {
    const due = [{ evalStrategy: 'epoch' }, { evalStrategy: 'steps', evalSteps: 2 }, { evalOnStart: true }];
    for (const args of due) {
      const found = await warningsOf(args as AdaptiveTrainerOptions['args']);
      expect(found.get('NOTHING_TO_EVALUATE')).toMatch(/there are no evaluation rows/);
    }
    expect((await warningsOf({ evalStrategy: 'steps', evalSteps: 3 })).size).toBe(0);
    const evalDataset = rows.slice(0, 2);
    expect((await warningsOf({ evalStrategy: 'epoch' }, { evalDataset })).size).toBe(0);
  });

  it('tells of rows that are longer than the positions the model was made for', async () => {
    const longest = Math.max(...rows.map(({ inputIds }) => inputIds.length));
    const trainDataset = rows.map((row) => ({
      ...row,
      inputIds: [...row.inputIds].map((id) => id % tinyConfig.vocab_size),
      labels: [...row.labels].map((id) => (id < 0 ? id : id % tinyConfig.vocab_size)),
    }));
    const warnings = async (change: object) =>
      warningsOf({}, { trainDataset }, writeTinyModel(tempDir(), change));
    const found = await warnings({ max_position_embeddings: longest - 1 });
    expect(found.get('LONGER_THAN_POSITIONS')).toMatch(
      new RegExp(`2 of ${rows.length} rows.*${longest - 1} positions.*maxLengthToken`),
    );
    for (const change of [
      { max_position_embeddings: longest },
      { max_position_embeddings: longest - 1, rope_scaling: { rope_type: 'linear', factor: 2 } },
    ])
      expect((await warnings(change)).size).toBe(0);
  });
});

describe('two trainings of one model at once', () => {
  it('are refused, and the first goes on', async () => {
    const model = await CausalLM.fromPretrained(fixture);
    const options = { model, trainDataset: rows, args: plain };
    const trainer = new AdaptiveTrainer(options);
    const first = trainer.train();
    for (const second of [trainer, new AdaptiveTrainer(options)]) {
      await expect(second.train()).rejects.toMatchObject({
        code: 'INVALID_INPUT',
        message: expect.stringContaining('a train() of it under way'),
      });
    }
    expect((await first).steps).toBe(2);
    // One after the other is fine.
    expect((await trainer.train()).steps).toBe(2);
    model.dispose();
  });
});

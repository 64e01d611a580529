import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { AdaptiveTrainer } from '../../src/trainer/adaptive-trainer.js';
import type { AdaptiveTrainerOptions } from '../../src/trainer/adaptive-trainer-options.js';
import type { TokenStatisticsArrays } from '../../src/trainer/step/token-statistics.js';
import type { EvaluateEvent } from '../../src/events/training-event.js';
import { tempDir } from '../helpers/temp-dir.js';
import { tinyConfig, writeTinyModel } from '../helpers/tiny-model.js';
import { trainRun } from '../helpers/train-run.js';
import { trainingRows } from '../helpers/training-rows.js';

let dir: string;
beforeAll(() => {
  dir = writeTinyModel(tempDir(), { hidden_size: 32, num_attention_heads: 4, num_key_value_heads: 2 });
});
const rows = trainingRows(22, tinyConfig.vocab_size);

async function run(
  outputDir: string,
  args: AdaptiveTrainerOptions['args'],
  Trainer: typeof AdaptiveTrainer,
  from?: string,
) {
  const evaluations: EvaluateEvent[] = [];
  const steps = await trainRun(
    dir,
    {
      trainDataset: rows,
      evalDataset: rows.slice(0, 5),
      outputDir,
      args: {
        batchSize: 4,
        gradientAccumulationSteps: 2,
        numEpochs: 4,
        shuffle: true,
        warmupSteps: 3,
        lrSchedulerType: 'cosine',
        saveStrategy: 'steps',
        saveSteps: 1,
        saveTotalLimit: null,
        ...(from === undefined ? {} : { resumeFromCheckpoint: from }),
        ...args,
      },
      callbacks: [{ onEvaluate: (event) => void evaluations.push(event) }],
    },
    Trainer,
  );
  return {
    // Times differ.
    steps: steps.map(({ tokensPerSecond: _t, secondsPerStep: _s, etaSeconds: _e, ...step }) => step),
    evaluations: evaluations.map(({ seconds: _seconds, ...event }) => event),
    weights: readFileSync(join(outputDir, 'final_model', 'model.safetensors')),
  };
}

/** Overflows float16 until the loss scale has fallen. */
class Loud extends AdaptiveTrainer {
  protected override tokenWeights({ nll }: TokenStatisticsArrays): Float32Array {
    return new Float32Array(nll.length).fill(6);
  }
}

/** Another order than the trainer's own, which cannot begin in the middle. */
class Backwards extends AdaptiveTrainer {
  protected override *trainBatches() {
    for (let end = rows.length; end > 0; end -= 4) yield rows.slice(Math.max(0, end - 4), end);
  }
}

describe('a run resumed after any step is the uninterrupted run', () => {
  const cases: [string, AdaptiveTrainerOptions['args'], typeof AdaptiveTrainer?][] = [
    ['bf16-true, 8-bit AdamW', { precision: 'bf16-true', optimizer: 'paged_adamw_8bit' }],
    ['sgd with momentum', { optimizer: 'sgd', momentum: 0.9 }],
    ['lion in bf16', { optimizer: 'lion', precision: 'bf16', learningRate: 1e-3 }],
    ['adafactor', { optimizer: 'adafactor' }],
    ['float16 whose loss scale moves', { precision: 'fp16', fp16: true }, Loud],
    ['a confidence curriculum', { initialConfidence: 0.1, finalConfidence: 0.9, curriculumEpochs: 3 }],
    ['dft and wsd', { loss: 'dft', lrSchedulerType: 'wsd' }],
    ['batches by tokens', { maxTokensPerBatch: 40 }],
    ['another order', {}, Backwards],
    ['evaluations and saves by epoch', { evalStrategy: 'epoch', saveStrategy: 'epoch' }],
  ];
  it.each(cases)('%s', async (_name, args, Trainer = AdaptiveTrainer) => {
    const whole = tempDir();
    const expected = await run(whole, args, Trainer);
    const last = expected.steps.at(-1)!.step;
    const moments = args?.saveStrategy === 'epoch' ? [3, 9] : [1, 3, Math.floor(last / 2), last - 1];
    for (const moment of moments) {
      const actual = await run(tempDir(), args, Trainer, join(whole, `checkpoint-${moment}`));
      expect(actual.steps).toEqual(expected.steps.filter(({ step }) => step > moment));
      expect(actual.evaluations).toEqual(expected.evaluations.filter(({ step }) => step > moment));
      expect(actual.weights.equals(expected.weights), 'weights').toBe(true);
    }
  });
});

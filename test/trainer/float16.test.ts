import { beforeAll, describe, expect, it } from 'vitest';
import { AdaptiveTrainer } from '../../src/trainer/adaptive-trainer.js';
import type { WarningEvent } from '../../src/events/training-event.js';
import type { TokenStatisticsArrays } from '../../src/trainer/step/token-statistics.js';
import { relativeToLargest } from '../helpers/differences.js';
import { tempDir } from '../helpers/temp-dir.js';
import { tinyConfig, writeTinyModel } from '../helpers/tiny-model.js';
import { gradNorms, losses, trainRun } from '../helpers/train-run.js';
import { trainingRows } from '../helpers/training-rows.js';

let dir: string;
beforeAll(() => {
  dir = writeTinyModel(tempDir(), { hidden_size: 32, num_attention_heads: 4, num_key_value_heads: 2 });
});
const trainDataset = trainingRows(24, tinyConfig.vocab_size);

/** Plain cross-entropy times a factor. */
const times = (factor: number) =>
  class extends AdaptiveTrainer {
    protected override tokenWeights({ nll }: TokenStatisticsArrays): Float32Array {
      return new Float32Array(nll.length).fill(factor);
    }
  };

async function run(args: object, Trainer: typeof AdaptiveTrainer = AdaptiveTrainer) {
  const warnings: WarningEvent[] = [];
  const callbacks = [{ onWarning: (event: WarningEvent) => void warnings.push(event) }];
  const steps = await trainRun(dir, { trainDataset, args, callbacks }, Trainer);
  return { steps, warnings };
}

describe('float16', () => {
  it('follows float32, more closely than bfloat16 does', async () => {
    const args = { loss: 'ce', learningRate: 3e-3, numEpochs: 2 };
    const exact = (await run(args)).steps;
    const half = (await run({ ...args, precision: 'fp16', fp16: true })).steps;
    const brain = (await run({ ...args, precision: 'bf16' })).steps;
    const [ofHalf, ofBrain] = [half, brain].map((steps) => relativeToLargest(losses(steps), losses(exact)));
    // Half of float16's last bit is 5e-4 of a value, of bfloat16's 4e-3; gradients pass through more roundings.
    expect(ofHalf).toBeLessThan(1e-3);
    expect(ofHalf).toBeGreaterThan(0);
    expect(ofHalf).toBeLessThan(ofBrain!);
    expect(relativeToLargest(gradNorms(half), gradNorms(exact))).toBeLessThan(0.01);
    expect(half.map((step) => step.lossScale)).toEqual(half.map(() => 65536));
    expect(exact[0]).not.toHaveProperty('lossScale');
  });

  it('keeps gradients that float16 alone would lose', async () => {
    // Most of them are below its smallest number, 6e-8.
    const args = { maxGradNorm: 0, maxSteps: 1 };
    const exact = (await run(args, times(1e-6))).steps;
    const half = (await run({ ...args, precision: 'fp16', fp16: true }, times(1e-6))).steps;
    expect(gradNorms(exact)[0]).toBeLessThan(1e-3);
    expect(relativeToLargest(gradNorms(half), gradNorms(exact))).toBeLessThan(0.01);
  });

  it('skips and counts the steps that overflow, until the loss scale fits', async () => {
    const { steps, warnings } = await run(
      { precision: 'fp16', fp16: true, numEpochs: 2, maxGradNorm: 1 },
      times(10),
    );
    const skipped = warnings.filter(({ code }) => code === 'LOSS_SCALE_HALVED');
    const first = steps[0]!.step - 1;
    expect(first).toBeGreaterThan(0);
    expect(steps[0]).toMatchObject({ skippedSteps: first, lossScale: 65536 / 2 ** first });
    expect(steps.at(-1)!.lossScale).toBe(65536 / 2 ** skipped.length);
    expect([...skipped, ...steps].map(({ step }) => step!).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 12 }, (_, i) => i + 1),
    );
    // The skipped steps have not moved the weights: the rows of the first step taken meet those of the model.
    const untouched = (await run({ learningRate: 0, numEpochs: 2 }, times(10))).steps;
    expect(steps[0]!.loss / untouched[first]!.loss).toBeCloseTo(1, 3);
  });

  it('ends the run where no loss scale helps', async () => {
    await expect(run({ precision: 'fp16', fp16: true, numEpochs: 8 }, times(3e38))).rejects.toMatchObject({
      code: 'LOSS_NOT_FINITE',
    });
  });
});

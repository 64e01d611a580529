import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { EvaluateEvent, StepEvent, TrainingEvent } from '../../src/events/training-event.js';
import type { PeftConfigInput } from '../../src/config/schema/config-input.js';
import { CausalLM } from '../../src/model/causal-lm.js';
import { AdaptiveTrainer } from '../../src/trainer/adaptive-trainer.js';
import type { AdaptiveTrainerOptions } from '../../src/trainer/adaptive-trainer-options.js';
import type { TokenBatch, TokenStatisticsArrays } from '../../src/trainer/step/token-statistics.js';
import { largestDifference } from '../helpers/differences.js';
import { numbers, readSafetensors } from '../helpers/read-safetensors.js';
import { tempDir } from '../helpers/temp-dir.js';
import { tinyConfig, writeTinyModel } from '../helpers/tiny-model.js';
import { gradNorms, losses, plainArgs, trainRun } from '../helpers/train-run.js';
import { trainingRows } from '../helpers/training-rows.js';

let dir: string;
let retentionCache: string;
const trainDataset = trainingRows(12, tinyConfig.vocab_size, 3);
const retentionDataset = trainingRows(7, tinyConfig.vocab_size, 4, 9);
const retention = { source: 'guarded', weight: 0.5, tokensPerStep: 12, pullToBase: 2 };
const args = { ...plainArgs, batchSize: 2, gradientAccumulationSteps: 2, numEpochs: 3 };

beforeAll(() => {
  dir = writeTinyModel(tempDir());
  retentionCache = tempDir();
});

const run = (options: Partial<AdaptiveTrainerOptions>, Trainer = AdaptiveTrainer) =>
  trainRun(dir, { trainDataset, retentionDataset, retentionCache, ...options }, Trainer);

/** The weights that a run ends in, by name. */
async function trainedWeights(options: Partial<AdaptiveTrainerOptions>, model: CausalLM) {
  const trainer = new AdaptiveTrainer({ trainDataset, retentionDataset, retentionCache, ...options, model });
  await trainer.train();
  const out = tempDir();
  await trainer.saveModel(out);
  const file = model.adapter === undefined ? 'model.safetensors' : 'adapter_model.safetensors';
  return readSafetensors(join(out, file));
}

describe('retention', () => {
  it('leaves the loss, its statistics, alpha and beta to the labelled tokens', async () => {
    const plain = await run({ args: { ...args, maxSteps: 1 } });
    const held = await run({ args: { ...args, maxSteps: 1, retention } });
    expect(held[0]!.statistics).toEqual(plain[0]!.statistics);
    expect(held[0]!.tokens).toBe(plain[0]!.tokens);
    expect(held[0]!.labelledTokens).toBe(plain[0]!.labelledTokens);
    expect(Math.abs(held[0]!.loss / plain[0]!.loss - 1)).toBeLessThan(1e-6);
    // While the model is the base, nothing is held; rows are rounded otherwise in another batch.
    expect(held[0]!.divergence).toBeLessThan(1e-10);
    expect(Math.abs(held[0]!.gradNorm / plain[0]!.gradNorm - 1)).toBeLessThan(1e-5);
    expect(plain[0]).not.toHaveProperty('divergence');
  });

  it('holds the model nearer to its base, under every loss', async () => {
    for (const loss of ['adaptive', 'ce', 'dft', 'eaft'] as const) {
      const end = async (weight: number) => {
        const settings = { ...retention, weight, tokensPerStep: 40, pullToBase: 0 };
        const bounded = { adaptiveLoss: { loss, topK: 4 } };
        const steps = await run({ ...bounded, args: { ...args, numEpochs: 6, retention: settings } });
        return steps.at(-1)!.divergence!;
      };
      expect(await end(5), loss).toBeLessThan(0.7 * (await end(1e-6)));
    }
  });

  it('keeps the weights nearer to their start by the pull, in place of weight decay', async () => {
    const from = readSafetensors(join(dir, 'model.safetensors'));
    const distance = async (pullToBase: number) => {
      const model = await CausalLM.fromPretrained(dir);
      const weights = await trainedWeights(
        { args: { ...args, weightDecay: 0.5, retention: { ...retention, weight: 0, pullToBase } } },
        model,
      );
      model.dispose();
      let squares = 0;
      for (const [name, values] of Object.entries(from))
        numbers(weights[name]!).forEach((value, i) => (squares += (value - numbers(values)[i]!) ** 2));
      return Math.sqrt(squares);
    };
    const free = await distance(0);
    expect(await distance(2)).toBeLessThan(0.75 * free);
    expect(await distance(8)).toBeLessThan(0.4 * free);
  });

  it('gives tokenWeights the labelled tokens alone', async () => {
    const sizes: number[] = [];
    class Weighted extends AdaptiveTrainer {
      protected override tokenWeights({ nll }: TokenStatisticsArrays, { labels }: TokenBatch): Float32Array {
        sizes.push(nll.length, labels.length);
        return nll.map(() => 1 / nll.length);
      }
    }
    const options = { args: { ...args, retention }, adaptiveLoss: { loss: 'ce' as const } };
    const weighted = await run(options, Weighted);
    const plain = await run(options);
    for (const [i, step] of plain.entries()) {
      expect(Math.abs(weighted[i]!.loss / step.loss - 1)).toBeLessThan(1e-5);
      expect(Math.abs(weighted[i]!.divergence! - step.divergence!)).toBeLessThan(1e-5);
    }
    expect(sizes[0]! + sizes[2]!).toBe(plain[0]!.labelledTokens);
  });

  it.each([
    ['all weights', undefined, 'fp32'],
    ['an adapter', { r: 2, loraDropout: 0.2 }, 'fp32'],
    ['an adapter with saved modules', { r: 2, modulesToSave: ['lm_head'] }, 'fp32'],
    ['bfloat16', undefined, 'bf16-true'],
  ] as [string, PeftConfigInput | undefined, 'fp32' | 'bf16-true'][])(
    'goes on from a checkpoint to the bit: %s',
    async (_name, adapter, precision) => {
      const whole = tempDir();
      const parts = tempDir();
      const weightsOf = (outputDir: string) => {
        const folder = join(outputDir, 'final_model');
        const file = readdirSync(folder).find((name) => name.endsWith('.safetensors'))!;
        return readSafetensors(join(folder, file));
      };
      const train = async (outputDir: string, more: object) => {
        const model = await CausalLM.fromPretrained(dir, adapter === undefined ? {} : { adapter });
        const steps: StepEvent[] = [];
        const trainer = new AdaptiveTrainer({
          ...{ model, trainDataset, retentionDataset, retentionCache, outputDir },
          args: {
            ...args,
            precision,
            shuffle: true,
            optimizer: 'adamw_8bit',
            retention,
            saveStrategy: 'steps',
            saveSteps: 4,
            ...more,
          },
          adaptiveLoss: { maxKlDivergence: 0.01 },
          callbacks: [{ onStepEnd: (step) => void steps.push(step) }],
        });
        await trainer.train();
        model.dispose();
        return steps;
      };
      const straight = await train(whole, {});
      await train(parts, {}).then(() => {});
      const again = tempDir();
      const resumed = await train(again, { resumeFromCheckpoint: join(parts, 'checkpoint-4') });
      expect(losses(resumed)).toEqual(losses(straight.slice(4)));
      expect(gradNorms(resumed)).toEqual(gradNorms(straight.slice(4)));
      expect(resumed.map((step) => step.divergence)).toEqual(
        straight.slice(4).map((step) => step.divergence),
      );
      expect(resumed.map((step) => step.retentionWeight)).toEqual(
        straight.slice(4).map((step) => step.retentionWeight),
      );
      const expected = weightsOf(whole);
      for (const [name, tensor] of Object.entries(weightsOf(again)))
        expect(tensor, name).toEqual(expected[name]);
    },
  );

  it('pulls a model without files, or one that was trained before, to what it was when the run began', async () => {
    const model = await CausalLM.fromConfig(dir);
    for (let i = 0; i < 2; i++) {
      const before = tempDir();
      await model.savePretrained(before);
      const start = readSafetensors(join(before, 'model.safetensors'));
      const strong = { ...retention, weight: 0, pullToBase: 1e9 };
      const held = await trainedWeights(
        { args: { ...args, lrSchedulerType: 'linear', retention: strong } },
        model,
      );
      for (const [name, values] of Object.entries(start))
        expect(largestDifference(numbers(held[name]!), numbers(values)), name).toBeLessThan(1e-6);
      await trainedWeights({ args }, model);
    }
    model.dispose();
    expect(readdirSync(retentionCache).filter((name) => name.length < 44)).toEqual([]);
  });

  it('measures forgetting on texts of the base, 0 before the first step', async () => {
    const events: TrainingEvent[] = [];
    const evaluations: EvaluateEvent[] = [];
    await trainRun(dir, {
      trainDataset,
      evalDataset: trainDataset,
      retentionCache,
      args: { ...args, evalForgetting: true, evalOnStart: true, evalStrategy: 'epoch' },
      callbacks: [{ onEvaluate: (event) => void evaluations.push(event) }],
      trackers: [{ onEvent: (event) => void events.push(event), close: () => {} }],
    });
    expect(evaluations[0]!.forgetting).toBeLessThan(1e-9);
    expect(evaluations[1]!.forgetting).toBeGreaterThan(1e-4);
    expect(evaluations.at(-1)!.forgetting).toBeGreaterThan(evaluations[1]!.forgetting!);
    const started = events.findIndex(({ type }) => type === 'start');
    const texts = events.filter(({ type }) => type === 'texts');
    expect(texts.map((event) => event.type === 'texts' && event.doing)).toContain('writing');
    expect(events.slice(started).some(({ type }) => type === 'texts')).toBe(false);
  });

  it('chooses for itself, with what the base writes', async () => {
    const steps = await trainRun(dir, {
      trainDataset,
      retentionCache,
      args: { ...args, retention: 'auto' },
    });
    // A tenth of steps this small buys a row every few of them.
    const held = steps.filter(({ divergence }) => divergence !== undefined);
    expect(held.length).toBeGreaterThan(0);
    expect(held.length).toBeLessThan(steps.length);
    expect(held[0]).toBe(steps[0]);
  });

  it('says what is missing where the datasets of its source are not given', async () => {
    const options = { trainDataset, retentionCache, args: { ...args, retention } };
    await expect(trainRun(dir, options)).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining('retentionDataset') as unknown,
    });
  });
});

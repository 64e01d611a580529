import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { PeftConfigInput } from '../../src/config/schema/config-input.js';
import { CausalLM } from '../../src/model/causal-lm.js';
import { AdaptiveTrainer } from '../../src/trainer/adaptive-trainer.js';
import type { AdaptiveTrainerOptions } from '../../src/trainer/adaptive-trainer-options.js';
import type { StepEvent } from '../../src/events/training-event.js';
import type { TokenBatch, TokenStatisticsArrays } from '../../src/trainer/step/token-statistics.js';
import { tempDir } from '../helpers/temp-dir.js';
import { gradNorms, losses, plainArgs } from '../helpers/train-run.js';
import { trainingRows } from '../helpers/training-rows.js';

type Args = NonNullable<AdaptiveTrainerOptions['args']>;

const fixtures = new URL('../fixtures/models/', import.meta.url).pathname;

/** A fixture with changes to its config.json. */
function model(name: string, changes: object = {}): string {
  const dir = tempDir();
  cpSync(join(fixtures, name), dir, { recursive: true });
  const file = join(dir, 'config.json');
  const own = JSON.parse(readFileSync(file, 'utf8')) as object;
  writeFileSync(file, JSON.stringify({ ...own, ...changes }));
  return dir;
}

const llama = model('llama', { attention_dropout: 0.2 });
const gpt2 = model('gpt2', { attn_pdrop: 0.1, resid_pdrop: 0.1, embd_pdrop: 0.1 });
const rows = trainingRows(24, 199, 3, 14);
const lora: PeftConfigInput = { r: 4, loraAlpha: 8, loraDropout: 0.1, targetModules: 'all-linear' };

/** Weights tokens by how unsure they are. */
class Weighted extends AdaptiveTrainer {
  protected override tokenWeights({ confidence }: TokenStatisticsArrays, { labels }: TokenBatch) {
    return confidence.map((p) => (1 - p) / labels.length);
  }
}

interface Run {
  dir?: string;
  args?: Args;
  adapter?: PeftConfigInput | undefined;
  Trainer?: typeof AdaptiveTrainer;
  loss?: 'adaptive' | 'ce' | 'dft' | 'eaft' | undefined;
}

async function train(run: Run, outputDir: string, resumeFrom?: string): Promise<StepEvent[]> {
  const { dir = llama, args, adapter, Trainer = AdaptiveTrainer, loss = 'adaptive' } = run;
  const opened = await CausalLM.fromPretrained(dir, adapter === undefined ? {} : { adapter });
  const steps: StepEvent[] = [];
  const trainer = new Trainer({
    model: opened,
    trainDataset: rows,
    outputDir,
    args: {
      ...{ ...plainArgs, gradientAccumulationSteps: 2, numEpochs: 2, saveStrategy: 'steps', saveSteps: 2 },
      ...{ saveTotalLimit: null, learningRate: 2e-3, shuffle: true, ...args },
    },
    adaptiveLoss: { loss },
    callbacks: [{ onStepEnd: (step) => void steps.push(step) }],
  });
  try {
    await trainer.train(resumeFrom === undefined ? {} : { resumeFromCheckpoint: resumeFrom });
  } finally {
    opened.dispose();
  }
  return steps;
}

const weightsOf = (folder: string) => {
  const adapter = join(folder, 'adapter_model.safetensors');
  return readFileSync(existsSync(adapter) ? adapter : join(folder, 'model.safetensors'));
};

const noise: Args = { neftuneNoiseAlpha: 10, labelSmoothingFactor: 0.1 };
const frozen: Args = { freeze: ['model.embed_tokens', 'model.layers.0.*', '*.k_proj'] };
const rates: Args = { layerwiseLrDecay: 0.7, learningRateMultipliers: { '*.mlp.*': 2 } };

describe('a run that is gone on with is the uninterrupted one, to the byte', () => {
  it.each<[string, Run]>([
    ['dropout and noise', { args: noise }],
    ['with gradient checkpointing', { args: { ...noise, gradientCheckpointing: true } }],
    ['GPT-2, all three kinds of dropout', { dir: gpt2, args: { ...noise, gradientCheckpointing: true } }],
    ['frozen weights, rates by layer', { args: { ...noise, ...frozen, ...rates } }],
    ['in bfloat16', { args: { ...noise, ...frozen, precision: 'bf16' } }],
    ['in bfloat16 alone', { args: { ...noise, ...frozen, ...rates, precision: 'bf16-true' } }],
    ['in float16', { args: { ...noise, ...frozen, precision: 'fp16', fp16: true } }],
    ['with an adapter', { adapter: lora, args: { ...noise, ...rates, freeze: ['model.layers.0.*'] } }],
    ['with a loss of its own', { Trainer: Weighted, args: { ...noise, ...frozen } }],
    ['by entropy', { loss: 'eaft', args: { ...noise, ...frozen } }],
    ...(['lion_8bit', 'rmsprop', 'adagrad', 'ademamix', 'ademamix_8bit'] as const).map(
      (optimizer): [string, Run] => [optimizer, { args: { ...noise, ...frozen, optimizer } }],
    ),
    ['rmsprop with momentum', { args: { optimizer: 'rmsprop', momentum: 0.9 } }],
    ['sgd, dampened', { args: { optimizer: 'sgd', optimArgs: 'momentum=0.9,dampening=0.2' } }],
    ['rmsprop, centered', { args: { optimizer: 'rmsprop', optimArgs: { centered: true, alpha: 0.9 } } }],
    ['adagrad, its rate falling', { args: { optimizer: 'adagrad', optimArgs: { lrDecay: 0.1 } } }],
    ['ademamix with a warm-up', { args: { optimizer: 'paged_ademamix_8bit', ademamixWarmupSteps: 4 } }],
  ])('%s', async (_, run) => {
    const [whole, resumed] = [tempDir(), tempDir()];
    const steps = await train(run, whole);
    const checkpoint = join(resumed, 'checkpoint-2');
    cpSync(join(whole, 'checkpoint-2'), checkpoint, { recursive: true });
    const later = await train(run, resumed, checkpoint);
    // In float16 a step may be skipped.
    expect(later.length).toBeGreaterThan(run.args?.fp16 ? 0 : 3);
    expect(losses(later)).toEqual(losses(steps).slice(-later.length));
    const of = (folder: string, file: string) => readFileSync(join(folder, file));
    expect(weightsOf(join(resumed, 'final_model')).equals(weightsOf(join(whole, 'final_model')))).toBe(true);
    const state = 'checkpoint-6/optimizer.safetensors';
    expect(of(resumed, state).equals(of(whole, state)), 'optimizer').toBe(true);
  });
});

describe('dropout and noise', () => {
  it.each<[string, Run]>([
    ['llama', { args: noise }],
    ['gpt2', { dir: gpt2, args: noise }],
    ['with an adapter', { adapter: lora, args: noise }],
    ['with frozen layers below', { args: { ...noise, ...frozen } }],
  ])('are drawn again as they were with gradient checkpointing: %s', async (_, run) => {
    const [kept, again] = [tempDir(), tempDir()];
    const steps = await train(run, kept);
    const recomputed = { ...run, args: { ...run.args, gradientCheckpointing: true } };
    expect(losses(await train(recomputed, again))).toEqual(losses(steps));
    expect(weightsOf(join(again, 'final_model')).equals(weightsOf(join(kept, 'final_model')))).toBe(true);
  });

  it('change with the seed and the step, and end with ignoreDropout', async () => {
    const run = async (dir: string, args: Args) => losses(await train({ dir, args, loss: 'ce' }, tempDir()));
    const still = { learningRate: 0, shuffle: false };
    const seven = await run(llama, { ...still, seed: 7 });
    expect(await run(llama, { ...still, seed: 7 })).toEqual(seven);
    expect(await run(llama, { ...still, seed: 8 })).not.toEqual(seven);
    // The second epoch has the same rows and weights, and other masks.
    expect(seven.slice(3)).not.toEqual(seven.slice(0, 3));
    const plain = await run(model('llama'), still);
    expect(plain.slice(3)).toEqual(plain.slice(0, 3));
    expect(await run(model('llama', { attention_dropout: 0 }), still)).toEqual(plain);
    const without = async (options: { ignoreDropout?: boolean }) => {
      const opened = await CausalLM.fromPretrained(llama, options);
      const steps: StepEvent[] = [];
      const trainer = new AdaptiveTrainer({
        model: opened,
        trainDataset: rows,
        args: { ...plainArgs, ...still, gradientAccumulationSteps: 2, numEpochs: 2 },
        adaptiveLoss: { loss: 'ce' },
        callbacks: [{ onStepEnd: (step) => void steps.push(step) }],
      });
      await trainer.train();
      opened.dispose();
      return losses(steps);
    };
    expect(await without({ ignoreDropout: true })).toEqual(plain);
    expect(await without({})).not.toEqual(plain);
  });

  it('take no part in evaluations, logits and gradients outside of training', async () => {
    const [withDropout, plain] = await Promise.all([
      CausalLM.fromPretrained(llama),
      CausalLM.fromPretrained(model('llama')),
    ]);
    const ids = [rows[0]!.inputIds, rows[1]!.inputIds];
    expect(await withDropout.logits(ids)).toEqual(await plain.logits(ids));
    expect((await withDropout.lossAndGradients(ids)).loss).toBe((await plain.lossAndGradients(ids)).loss);
    withDropout.dispose();
    plain.dispose();
  });
});

describe('label smoothing', () => {
  const at = (Trainer: typeof AdaptiveTrainer, loss: Run['loss'], smoothing: number) =>
    train({ dir: model('llama'), Trainer, loss, args: { labelSmoothingFactor: smoothing } }, tempDir());

  class Uniform extends AdaptiveTrainer {
    protected override tokenWeights(_: TokenStatisticsArrays, { labels }: TokenBatch) {
      return new Float32Array(labels.length).fill(1 / labels.length);
    }
  }

  it('goes with weights of tokens: uniform ones are cross-entropy', async () => {
    const [own, ce] = [await at(Uniform, 'adaptive', 0.2), await at(AdaptiveTrainer, 'ce', 0.2)];
    for (const [i, { loss }] of ce.entries()) expect(Math.abs(own[i]!.loss / loss - 1)).toBeLessThan(1e-5);
    for (const [i, { gradNorm }] of ce.entries())
      expect(Math.abs(own[i]!.gradNorm / gradNorm - 1)).toBeLessThan(1e-4);
  });

  it.each(['adaptive', 'ce', 'dft', 'eaft'] as const)(
    'of nothing is none, and of some is more: %s',
    async (loss) => {
      const none = await at(AdaptiveTrainer, loss, 0);
      const some = await at(AdaptiveTrainer, loss, 0.1);
      expect(some[0]!.statistics.already_correct).toBe(none[0]!.statistics.already_correct);
      expect(some[0]!.statistics.in_top_k).toBe(none[0]!.statistics.in_top_k);
      expect(some[0]!.loss).not.toBe(none[0]!.loss);
      expect(gradNorms(some)).not.toEqual(gradNorms(none));
    },
  );
});

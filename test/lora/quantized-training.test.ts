import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { PeftConfigInput } from '../../src/config/schema/config-input.js';
import type { StepEvent } from '../../src/events/training-event.js';
import { CausalLM } from '../../src/model/causal-lm.js';
import type { QuantizationOptions } from '../../src/model/quantization/quantization.js';
import { trainAdaptively } from '../../src/train-adaptively.js';
import { AdaptiveTrainer } from '../../src/trainer/adaptive-trainer.js';
import type { AdaptiveTrainerOptions } from '../../src/trainer/adaptive-trainer-options.js';
import { validateConfig } from '../../src/validate/validate-config.js';
import { errorOf } from '../helpers/error-of.js';
import { readSafetensors } from '../helpers/read-safetensors.js';
import { tempDir } from '../helpers/temp-dir.js';
import { writeTinyModel } from '../helpers/tiny-model.js';
import { losses, plainArgs } from '../helpers/train-run.js';
import { trainingRows } from '../helpers/training-rows.js';
import { seedDir } from '../tokenizer/open-tokenizer.js';

const base = 'test/fixtures/models/llama';
const everything = { r: 4, loraDropout: 0.3, targetModules: 'all-linear', useDora: true };

interface Setup {
  dir?: string;
  adapter?: PeftConfigInput;
  quantization?: QuantizationOptions;
  args?: AdaptiveTrainerOptions['args'];
  options?: Partial<AdaptiveTrainerOptions>;
  resume?: boolean;
}

async function train(setup: Setup) {
  const { dir = base, adapter = everything, quantization = {}, args, options, resume } = setup;
  const model = await CausalLM.fromPretrained(dir, { adapter, adapterSeed: 3, quantization });
  const steps: StepEvent[] = [];
  const trainer = new AdaptiveTrainer({
    model,
    trainDataset: trainingRows(24, model.vocabSize),
    args: { ...plainArgs, ...args },
    callbacks: [{ onStepEnd: (step) => void steps.push(step) }],
    ...options,
  });
  try {
    const end = await trainer.train(resume === true ? { resumeFromCheckpoint: true } : {});
    const { weights } = await model.call((native) => native.memory());
    return { steps, end, weights, quantization: model.quantization! };
  } finally {
    model.dispose();
  }
}

const mean = (steps: StepEvent[]) => losses(steps).reduce((a, b) => a + b) / steps.length;

describe('training an adapter on a base in fewer bits', () => {
  it.each(['nf4', 'fp4', 'int8'] as const)(
    'lowers the loss in %s, the same with and without checkpointing, to the bit',
    async (type) => {
      const quantization = { type };
      const kept = await train({ quantization, args: { numEpochs: 3 } });
      const recomputed = await train({ quantization, args: { numEpochs: 3, gradientCheckpointing: true } });
      expect(losses(recomputed.steps)).toEqual(losses(kept.steps));
      const epoch = kept.steps.length / 3;
      expect(mean(kept.steps.slice(-epoch))).toBeLessThan(0.95 * mean(kept.steps.slice(0, epoch)));
    },
  );

  it('takes the bytes that it says', async () => {
    const parts = async (quantization?: QuantizationOptions) => {
      const options = { adapter: { r: 2 }, ...(quantization === undefined ? {} : { quantization }) };
      const model = await CausalLM.fromPretrained(base, options);
      const { weights } = await model.call((native) => native.memory());
      const { quantization: kept } = model;
      model.dispose();
      return { weights, kept };
    };
    const whole = await parts();
    for (const quantization of [{}, { doubleQuant: false }, { type: 'int8' as const }]) {
      const { weights, kept } = await parts(quantization);
      expect(weights).toBe(whole.weights - 4 * kept!.parameters + kept!.bytes);
    }
  });

  it('goes on from a checkpoint as if it had never stopped', async () => {
    const args = {
      numEpochs: 2,
      saveStrategy: 'steps',
      saveSteps: 4,
      shuffle: true,
      precision: 'bf16',
    } as const;
    const [whole, broken] = [tempDir(), tempDir()];
    const expected = await train({ args, options: { outputDir: whole } });
    const stopping = new AbortController();
    const callbacks = [{ onStepEnd: ({ step }: StepEvent) => void (step === 5 && stopping.abort()) }];
    const stopped = train({ args, options: { outputDir: broken, signal: stopping.signal, callbacks } });
    await expect(stopped).rejects.toMatchObject({ code: 'ABORTED' });
    const resumed = await train({ args, options: { outputDir: broken }, resume: true });
    expect(losses(resumed.steps)).toEqual(losses(expected.steps.slice(5)));
    const final = 'final_model/adapter_model.safetensors';
    expect(readFileSync(join(broken, final)).equals(readFileSync(join(whole, final)))).toBe(true);
  });

  it('does not go on with a base in other bits', async () => {
    const outputDir = tempDir();
    const args = { maxSteps: 2, saveStrategy: 'steps', saveSteps: 1 } as const;
    await train({ args, options: { outputDir } });
    const other = { args, options: { outputDir }, resume: true, quantization: { doubleQuant: false } };
    const error = await errorOf(() => train(other), 'CHECKPOINT_MISMATCH');
    expect(error.message).toContain('base.quantized');
  });

  it('accumulates, meets every loss, and is held to its base with the adapter off', async () => {
    for (const loss of ['adaptive', 'ce', 'dft', 'eaft'] as const) {
      const { steps } = await train({
        args: {
          ...{ gradientAccumulationSteps: 2, maxSteps: 3, batchSize: 2, evalForgetting: true },
          retention: { samples: 8, length: 16, tokensPerStep: 16 },
        },
        options: { adaptiveLoss: { loss }, evalDataset: trainingRows(4, 97) },
      });
      expect(steps.map(({ loss }) => loss).every(Number.isFinite), loss).toBe(true);
      expect(
        steps.every(({ gradNorm }) => gradNorm > 0),
        loss,
      ).toBe(true);
    }
  });

  it('leaves what is frozen of the adapter at its start', async () => {
    const outputDir = tempDir();
    const args = { freeze: ['model.layers.0.*'], maxSteps: 4, loraplusLrRatio: 4 };
    const adapter = { r: 4, targetModules: 'all-linear' };
    const { steps } = await train({ adapter, args, options: { outputDir } });
    expect(steps.every(({ gradNorm }) => gradNorm > 0)).toBe(true);
    const saved = readSafetensors(join(outputDir, 'final_model', 'adapter_model.safetensors'));
    for (const [name, { data }] of Object.entries(saved)) {
      if (!name.includes('lora_B')) continue;
      expect(
        data.some((value) => value !== 0),
        name,
      ).toBe(!name.includes('.layers.0.'));
    }
    const frozen = await errorOf(() => train({ adapter, args: { freeze: ['*'] } }));
    expect(frozen.message).toContain('freeze');
  });

  it.each(['mixtral', 'qwen2moe', 'qwen3moe', 'gptoss'])(
    'trains on experts beside projections in 4 bits: %s',
    async (name) => {
      const dir = join('test/fixtures/extra/models', name);
      const adapter = {
        r: 4,
        targetModules: ['q_proj', 'o_proj'],
        targetParameters: ['experts.gate_up_proj', 'experts.down_proj'],
      };
      const outputDir = tempDir();
      const args = { numEpochs: 3, gradientAccumulationSteps: 2 };
      const kept = await train({ dir, adapter, args, options: { outputDir } });
      const recomputed = await train({ dir, adapter, args: { ...args, gradientCheckpointing: true } });
      expect(losses(recomputed.steps)).toEqual(losses(kept.steps));
      const epoch = kept.steps.length / 3;
      expect(mean(kept.steps.slice(-epoch))).toBeLessThan(mean(kept.steps.slice(0, epoch)));
      expect(kept.quantization.weights.some((weight) => weight.includes('experts'))).toBe(false);
      const reopened = await CausalLM.fromPretrained(join(outputDir, 'final_model'), { quantization: {} });
      expect(reopened.adapter!.targets).toContain('model.layers.1.mlp.experts.down_proj');
      reopened.dispose();
    },
  );

  it.each(['pissa', 'olora'] as const)('refuses %s, which is taken out of whole weights', async (init) => {
    const error = await errorOf(() => train({ adapter: { initLoraWeights: init } }));
    expect(error.code).toBe('INVALID_INPUT');
    expect(error.message).toMatch(/initLoraWeights.*true/);
  });

  it('needs an adapter', async () => {
    const model = await CausalLM.fromPretrained(base, { quantization: {} });
    const options = { model, trainDataset: trainingRows(4, 97), args: plainArgs };
    const attempt = async () => new AdaptiveTrainer(options).train();
    await expect(attempt()).rejects.toMatchObject({ code: 'INVALID_INPUT', message: /adapter/ });
    model.dispose();
    const whole = await CausalLM.fromPretrained(base, { adapter: {} });
    const asked = { ...options, model: whole, args: { ...plainArgs, loadIn4bit: true } };
    await expect((async () => new AdaptiveTrainer(asked).train())()).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: /loadIn4bit/,
    });
    whole.dispose();
  });
});

describe('a configuration with loadIn4bit', () => {
  const tinyModel = () => {
    const dir = writeTinyModel(join(tempDir(), 'model'), { vocab_size: 4096 });
    for (const name of ['tokenizer.json', 'chat_template.jinja', 'tokenizer_config.json'])
      copyFileSync(join(seedDir, name), join(dir, name));
    return dir;
  };
  const train = Array.from({ length: 12 }, (_, i) => ({ question: `${i} plus 1?`, answer: `${i + 1}.` }));
  const options = (modelName: string, more: object) => ({
    modelName,
    outputDir: join(tempDir(), 'out'),
    datasetsConfig: { ideas: [{ name: 'sums', train, eval: [] }] },
    training_config: {
      ...{ max_steps: 2, batch_size: 2, warmup_steps: 0, use_wandb: false, eval_strategy: 'no' },
      ...{ load_in_4bit: true, fp16: false },
    },
    ...more,
  });

  it('trains an adapter that peft opens on the same base, and saves nothing of the base', async () => {
    const dir = tinyModel();
    const path = await trainAdaptively(options(dir, { peftConfig: { r: 2 } }), { progress: false });
    const saved = await CausalLM.fromPretrained(path, { quantization: {} });
    expect(saved.quantization?.type).toBe('nf4');
    expect(saved.adapter?.base).toBe(dir);
    saved.dispose();
  });

  it('without an adapter is refused before anything is read, by validate too', async () => {
    const dir = tinyModel();
    const message = /frozen: an adapter is what can be trained/;
    const attempt = () => trainAdaptively(options(dir, {}), { progress: false });
    expect((await errorOf(attempt, 'CONFIG_INVALID')).message).toMatch(message);
    expect((await errorOf(() => validateConfig(options(dir, {})), 'CONFIG_INVALID')).message).toMatch(
      message,
    );
    await validateConfig(options(dir, { peft_config: { r: 2 } }));
  });

  it('is what a stored base in 4 bits asks for, too', async () => {
    const stored = 'test/fixtures/extra/qlora/llama-nf4/quantized';
    const model = await CausalLM.fromPretrained(stored, { adapter: { r: 2 }, quantization: {} });
    expect(model.quantization?.type).toBe('nf4');
    model.dispose();
  });
});

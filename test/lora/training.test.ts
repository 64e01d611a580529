import { cpSync, existsSync, readFileSync, readdirSync, renameSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { AdaptiveTrainer } from '../../src/trainer/adaptive-trainer.js';
import type { AdaptiveTrainerOptions } from '../../src/trainer/adaptive-trainer-options.js';
import type { PeftConfigInput } from '../../src/config/schema/config-input.js';
import { CausalLM } from '../../src/model/causal-lm.js';
import type { StepEvent } from '../../src/events/training-event.js';
import { errorOf } from '../helpers/error-of.js';
import { readSafetensors } from '../helpers/read-safetensors.js';
import { tempDir } from '../helpers/temp-dir.js';
import { losses, plainArgs } from '../helpers/train-run.js';
import { trainingRows } from '../helpers/training-rows.js';

const base = 'test/fixtures/models/qwen2';
const bf16Base = 'test/fixtures/extra/models/llama-bf16';
const rows = [[1, 2, 3, 4], [7], Array.from({ length: 30 }, (_, i) => (i * 13) % 97)];
const withDropout = { r: 4, loraDropout: 0.3, targetModules: 'all-linear' };

async function train(
  adapter: PeftConfigInput,
  args: AdaptiveTrainerOptions['args'] = {},
  options: Partial<AdaptiveTrainerOptions> = {},
  from?: boolean,
  dir = base,
) {
  const model = await CausalLM.fromPretrained(dir, { adapter, adapterSeed: 3 });
  const steps: StepEvent[] = [];
  const trainer = new AdaptiveTrainer({
    model,
    trainDataset: trainingRows(24, model.vocabSize),
    args: { ...plainArgs, ...args },
    callbacks: [{ onStepEnd: (step) => void steps.push(step) }],
    ...options,
  });
  const end = await trainer.train(from === undefined ? {} : { resumeFromCheckpoint: from });
  const logits = (await model.logits(rows)).data;
  const memory = await model.call((native) => native.memory());
  model.dispose();
  return { steps, logits, memory, end };
}

describe('a new adapter', () => {
  it('changes nothing before it is trained, whatever its kind', async () => {
    const plain = await CausalLM.fromPretrained(base);
    const before = (await plain.logits(rows)).data;
    for (const useDora of [false, true]) {
      const model = await CausalLM.fromPretrained(base);
      await model.addAdapter({ ...withDropout, useDora, useRslora: true }, { seed: 5 });
      const { data } = await model.logits(rows);
      // DoRA divides a weight by its norm and multiplies it again.
      data.forEach((value, i) => expect(Math.abs(value - before[i]!)).toBeLessThan(useDora ? 1e-5 : 1e-12));
      model.dispose();
    }
    plain.dispose();
  });

  it('draws A as kaiming_uniform does with a = √5, the same from the same seed, and leaves B 0', async () => {
    const drawn = async (seed: number, initLoraWeights: true | 'gaussian' = true) => {
      const model = await CausalLM.fromPretrained(base);
      await model.addAdapter({ ...withDropout, r: 32, initLoraWeights }, { seed });
      const dir = tempDir();
      await model.savePretrained(dir);
      model.dispose();
      return readSafetensors(join(dir, 'adapter_model.safetensors'));
    };
    const [one, again, other] = [await drawn(1), await drawn(1), await drawn(2)];
    expect(again).toEqual(one);
    expect(other).not.toEqual(one);
    for (const [name, { data, shape }] of Object.entries(one)) {
      const values = Array.from(data as Float32Array);
      const bound = name.includes('lora_A') ? 1 / Math.sqrt(shape[1]!) : 0;
      expect(Math.max(...values.map(Math.abs))).toBeLessThanOrEqual(bound);
      if (bound === 0) continue;
      const deviation = Math.sqrt(values.reduce((sum, v) => sum + v * v, 0) / values.length);
      expect(deviation / (bound / Math.sqrt(3))).toBeGreaterThan(0.95);
      expect(deviation / (bound / Math.sqrt(3))).toBeLessThan(1.05);
    }
    const gaussian = await drawn(1, 'gaussian');
    const [, a] = Object.entries(gaussian).find(([name]) => name.includes('lora_A'))!;
    const values = Array.from(a.data as Float32Array);
    const deviation = Math.sqrt(values.reduce((sum, v) => sum + v * v, 0) / values.length);
    expect(deviation * 32).toBeGreaterThan(0.93);
    expect(deviation * 32).toBeLessThan(1.07);
  });
});

describe('training an adapter', () => {
  it('lowers the loss, and with dropout is the same with and without checkpointing, to the bit', async () => {
    const kept = await train(withDropout, { numEpochs: 4 });
    const recomputed = await train(withDropout, { numEpochs: 4, gradientCheckpointing: true });
    expect(losses(recomputed.steps)).toEqual(losses(kept.steps));
    expect(recomputed.logits).toEqual(kept.logits);
    const epoch = kept.steps.length / 4;
    const mean = (steps: StepEvent[]) => losses(steps).reduce((a, b) => a + b) / steps.length;
    expect(mean(kept.steps.slice(-epoch))).toBeLessThan(0.9 * mean(kept.steps.slice(0, epoch)));
  });

  it('drops other inputs in other steps, by the seed, and none in evaluation', async () => {
    const [row] = trainingRows(1, 97);
    const run = async (loraDropout: number, seed: number) => {
      const model = await CausalLM.fromPretrained(base, { adapter: { r: 4, loraAlpha: 16, loraDropout } });
      const steps: StepEvent[] = [];
      const trainer = new AdaptiveTrainer({
        model,
        trainDataset: Array.from({ length: 12 }, () => row!),
        evalDataset: [row!],
        args: { ...plainArgs, seed, batchSize: 2, learningRate: 0.05 },
        callbacks: [{ onStepEnd: (step) => void steps.push(step) }],
      });
      await trainer.train();
      const evaluations = [(await trainer.evaluate()).loss, (await trainer.evaluate()).loss];
      model.dispose();
      return { losses: losses(steps), evaluations };
    };
    const [none, some, again, other] = [
      await run(0, 1),
      await run(0.5, 1),
      await run(0.5, 1),
      await run(0.5, 2),
    ];
    expect(again).toEqual(some);
    expect(some.losses).not.toEqual(none.losses);
    expect(other.losses).not.toEqual(some.losses);
    expect(some.evaluations[0]).toBe(some.evaluations[1]);
  });

  it('goes on from a checkpoint as if it had never stopped, dropout included', async () => {
    const args = {
      numEpochs: 2,
      saveStrategy: 'steps',
      saveSteps: 4,
      shuffle: true,
      precision: 'bf16',
    } as const;
    const [whole, broken] = [tempDir(), tempDir()];
    const expected = await train(withDropout, args, { outputDir: whole });
    const stopping = new AbortController();
    const callbacks = [{ onStepEnd: ({ step }: StepEvent) => void (step === 5 && stopping.abort()) }];
    const stopped = train(withDropout, args, { outputDir: broken, signal: stopping.signal, callbacks });
    await expect(stopped).rejects.toMatchObject({ code: 'ABORTED' });
    const resumed = await train(withDropout, args, { outputDir: broken }, true);
    expect(losses(resumed.steps)).toEqual(losses(expected.steps.slice(5)));
    const final = 'final_model/adapter_model.safetensors';
    expect(readFileSync(join(broken, final)).equals(readFileSync(join(whole, final)))).toBe(true);
    const last = readdirSync(whole)
      .filter((name) => name.startsWith('checkpoint-'))
      .sort()
      .at(-1)!;
    expect(existsSync(join(whole, last, 'model.safetensors'))).toBe(false);
    expect(existsSync(join(whole, last, 'adapter_config.json'))).toBe(true);
  });

  it('does not go on from a checkpoint of another adapter', async () => {
    const outputDir = tempDir();
    const args = { maxSteps: 2, saveStrategy: 'steps', saveSteps: 1 } as const;
    await train(withDropout, args, { outputDir });
    const other = { ...withDropout, r: 5, loraAlpha: 16 };
    const error = await errorOf(() => train(other, args, { outputDir }, true), 'CHECKPOINT_MISMATCH');
    for (const part of [
      'adapter.r (4 in the checkpoint, 5 now)',
      'adapter.loraAlpha (8 in the checkpoint, 16 now)',
    ])
      expect(error.message).toContain(part);
  });

  it('goes on when the run and its base have moved, or are reached by a symlink', async () => {
    const parent = tempDir();
    const [first, moved, link] = ['base', 'moved', 'link'].map((name) => join(parent, name));
    cpSync(base, first!, { recursive: true });
    const args = { maxSteps: 4, saveStrategy: 'steps', saveSteps: 2 } as const;
    const whole = await train(withDropout, args, { outputDir: tempDir() });
    await train(withDropout, { ...args, maxSteps: 2 }, { outputDir: join(parent, 'run') }, undefined, first);
    renameSync(first!, moved!);
    symlinkSync(moved!, link!);
    for (const [i, dir] of [moved!, link!].entries()) {
      const outputDir = join(parent, `run-${i}`);
      cpSync(join(parent, 'run'), outputDir, { recursive: true });
      const resumed = await train(withDropout, args, { outputDir }, true, dir);
      expect(losses(resumed.steps)).toEqual(losses(whole.steps.slice(2)));
    }
  });

  it('does not go on with another base of the same shape', async () => {
    const [other, outputDir] = [join(tempDir(), 'other'), tempDir()];
    const args = { maxSteps: 2, saveStrategy: 'steps', saveSteps: 1 } as const;
    await train(withDropout, args, { outputDir });
    const model = await CausalLM.fromConfig(base, { seed: 9 });
    await model.savePretrained(other);
    model.dispose();
    const attempt = () => train(withDropout, args, { outputDir }, true, other);
    const error = await errorOf(attempt, 'CHECKPOINT_MISMATCH');
    expect(error.message).toMatch(/these differ: base\.weights \(#\w+ in the checkpoint, #\w+ now\)\./);
  });

  it('keeps nothing for frozen weights but what it computes with', async () => {
    const model = await CausalLM.fromPretrained(bf16Base, { dtype: 'bfloat16', adapter: { r: 2 } });
    const norms = model.parameters
      .filter(({ shape }) => shape.length === 1)
      .reduce((sum, { shape }) => sum + shape[0]!, 0);
    const added = model.trainableCount;
    const frozen = model.parameterCount - added - norms;
    // Norms are float32; an adapter has float32 masters and what is computed with.
    const weights = 2 * frozen + 4 * norms + (4 + 2) * added;
    expect(await model.call((native) => native.memory())).toMatchObject({ weights, gradients: 0 });
    const trainer = new AdaptiveTrainer({
      model,
      trainDataset: trainingRows(12, model.vocabSize),
      args: { ...plainArgs, precision: 'bf16', optimizer: 'adamw' },
    });
    await trainer.train();
    expect(await model.call((native) => native.memory())).toMatchObject({
      weights,
      gradients: 4 * added,
      optimizer: 8 * added,
    });
    model.dispose();
  });

  it('computes with a bfloat16 base what it computes with the float32 one rounded', async () => {
    const open = async (early: boolean) => {
      const model = await CausalLM.fromPretrained(
        bf16Base,
        early ? { dtype: 'bfloat16', adapter: { r: 2 } } : {},
      );
      if (!early) await model.addAdapter({ r: 2 });
      await model.configure('bfloat16', false);
      const { data } = await model.logits(rows);
      await model.mergeAdapter();
      const dir = tempDir();
      await model.savePretrained(dir, { dtype: 'bfloat16' });
      model.dispose();
      return { data, weights: readFileSync(join(dir, 'model.safetensors')) };
    };
    const [early, late] = [await open(true), await open(false)];
    expect(early.data).toEqual(late.data);
    expect(early.weights.equals(late.weights)).toBe(true);
  });

  it.each(['adamw', 'paged_adamw_8bit', 'lion', 'adafactor', 'sgd'] as const)(
    'learns with %s, in bf16-true and mixed precision, with a whole head beside it',
    async (optimizer) => {
      const rate = { adamw: 1e-2, paged_adamw_8bit: 1e-2, lion: 1e-3, adafactor: 1e-2, sgd: 1 }[optimizer];
      for (const precision of ['bf16', 'bf16-true'] as const) {
        const { steps } = await train(
          { r: 4, useDora: true, modulesToSave: ['lm_head'], loraDropout: 0.1 },
          { precision, optimizer, learningRate: rate, numEpochs: 3, gradientCheckpointing: true },
        );
        const epoch = steps.length / 3;
        const mean = (some: StepEvent[]) => losses(some).reduce((a, b) => a + b) / some.length;
        expect(mean(steps.slice(-epoch)), precision).toBeLessThan(mean(steps.slice(0, epoch)));
      }
    },
  );

  it('goes on from an adapter that was trained, with the seed of its new run', async () => {
    const outputDir = tempDir();
    const first = await train({ r: 4 }, {}, { outputDir });
    const model = await CausalLM.fromPretrained(join(outputDir, 'final_model'));
    expect((await model.logits(rows)).data).toEqual(first.logits);
    const steps: StepEvent[] = [];
    const trainer = new AdaptiveTrainer({
      model,
      trainDataset: trainingRows(24, model.vocabSize),
      args: plainArgs,
      callbacks: [{ onStepEnd: (step) => void steps.push(step) }],
    });
    await trainer.train();
    model.dispose();
    const sum = (some: StepEvent[]) => losses(some).reduce((a, b) => a + b);
    expect(sum(steps)).toBeLessThan(sum(first.steps));
  });

  it('with its whole modules moves an untied head away from the embedding', async () => {
    const tied = await CausalLM.fromPretrained(base);
    expect(tied.config['tie_word_embeddings']).toBe(true);
    await tied.addAdapter({ modulesToSave: ['lm_head'] });
    const names = tied.trainable.map(({ name }) => name);
    expect(names).toContain('lm_head.weight');
    expect(names).not.toContain('model.embed_tokens.weight');
    tied.dispose();
  });
});

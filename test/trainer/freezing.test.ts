import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CausalLM } from '../../src/model/causal-lm.js';
import { AdaptiveTrainer } from '../../src/trainer/adaptive-trainer.js';
import type { AdaptiveTrainerOptions } from '../../src/trainer/adaptive-trainer-options.js';
import type { StartEvent } from '../../src/events/training-event.js';
import { relativeToLargest } from '../helpers/differences.js';
import { errorOf } from '../helpers/error-of.js';
import { numbers, readSafetensors } from '../helpers/read-safetensors.js';
import { tempDir } from '../helpers/temp-dir.js';
import { plainArgs } from '../helpers/train-run.js';
import { trainingRows } from '../helpers/training-rows.js';

type Args = NonNullable<AdaptiveTrainerOptions['args']>;

const models = new URL('../fixtures/models/', import.meta.url).pathname;
const llama = join(models, 'llama');
const gpt2 = join(models, 'gpt2');
const rows = trainingRows(8, 199, 3, 12);

/** Trains, then tells what the engine held and what the start said. */
async function train(model: CausalLM, args: Args, outputDir?: string) {
  let start: StartEvent | undefined;
  let held: { gradients: number; optimizer: number; weights: number } | undefined;
  const trainer = new AdaptiveTrainer({
    model,
    trainDataset: rows,
    ...(outputDir === undefined ? {} : { outputDir }),
    args: { ...plainArgs, ...args },
    callbacks: [
      {
        onStart: (event) => void (start = event),
        onStepEnd: async () => {
          held ??= await model.native.memory();
        },
      },
    ],
  });
  await trainer.train();
  return { start: start!, held: held! };
}

const sizeOf = (model: CausalLM, rule: RegExp) =>
  model.parameters
    .filter(({ name }) => rule.test(name))
    .reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0);

describe('freezing', () => {
  it('takes gradients and optimizer state from what is frozen, parts of fused matrices too', async () => {
    const model = await CausalLM.fromPretrained(llama);
    const whole = await train(model, {});
    expect(whole.held).toMatchObject({
      gradients: 4 * model.parameterCount,
      optimizer: 8 * model.parameterCount,
    });
    expect(whole.start.trainableParameters).toBeUndefined();
    const { start, held } = await train(model, {
      freeze: ['model.embed_tokens', '*.k_proj', 'model.layers.0'],
    });
    const frozen = sizeOf(model, /embed_tokens|k_proj|layers\.0\./);
    const trained = model.parameterCount - frozen;
    expect(start.trainableParameters).toBe(trained);
    expect(held).toMatchObject({ gradients: 4 * trained, optimizer: 8 * trained });
    expect(start.memory!.gradients).toBe(4 * trained);
    expect(start.memory!.activations).toBeLessThan(whole.start.memory!.activations);
    // The next run of the same model trains all of it again.
    expect((await train(model, {})).held.gradients).toBe(4 * model.parameterCount);
    model.dispose();
  });

  it('keeps one copy of a frozen weight that bfloat16 holds, and two of a finer one', async () => {
    const coarse = tempDir();
    const source = await CausalLM.fromPretrained(llama);
    await source.savePretrained(coarse, { dtype: 'bfloat16' });
    source.dispose();
    for (const [dir, isCoarse] of [
      [coarse, true],
      [llama, false],
    ] as const) {
      const model = await CausalLM.fromPretrained(dir);
      const [outputDir, start] = [tempDir(), tempDir()];
      await model.savePretrained(start);
      const { held } = await train(
        model,
        { precision: 'bf16', unfrozenParameters: ['model.norm'] },
        outputDir,
      );
      const matrices = sizeOf(model, /proj|lm_head/);
      const embedding = sizeOf(model, /embed_tokens/);
      const norms = sizeOf(model, /norm/);
      // The embedding is looked up alone: it has no second copy in any case.
      const expected = isCoarse
        ? 2 * (matrices + embedding) + 4 * norms
        : (4 + 2) * matrices + 4 * embedding + 4 * norms;
      expect(held.weights).toBe(expected);
      const [before, after] = [
        readSafetensors(join(start, 'model.safetensors')),
        readSafetensors(join(outputDir, 'final_model', 'model.safetensors')),
      ];
      for (const name of Object.keys(before))
        if (name !== 'model.norm.weight')
          expect([...numbers(after[name]!)], name).toEqual([...numbers(before[name]!)]);
      expect([...numbers(after['model.norm.weight']!)]).not.toEqual([
        ...numbers(before['model.norm.weight']!),
      ]);
      model.dispose();
    }
  });

  it('holds for gradients asked for directly, and ends with []', async () => {
    const model = await CausalLM.fromPretrained(gpt2);
    const ids = rows.slice(0, 2).map(({ inputIds }) => inputIds);
    const all = await model.lossAndGradients(ids);
    await model.freeze(['lm_head', 'transformer.h.0.*']);
    const some = await model.lossAndGradients(ids);
    // The tied head is the embedding.
    expect(Object.keys(some.gradients)).not.toContain('transformer.wte.weight');
    expect(Object.keys(some.gradients).filter((name) => name.includes('.h.0.'))).toEqual([]);
    for (const [name, { data, shape }] of Object.entries(some.gradients)) {
      expect(shape).toEqual(all.gradients[name]!.shape);
      // With its head frozen, the loss takes one pass in place of two, which rounds otherwise.
      expect(relativeToLargest(data, [...all.gradients[name]!.data]), name).toBeLessThan(1e-5);
    }
    expect(model.trainableCount).toBeLessThan(model.parameterCount);
    await model.freeze([]);
    expect(Object.keys((await model.lossAndGradients(ids)).gradients)).toEqual(Object.keys(all.gradients));
    model.dispose();
  });

  it('of an adapter leaves its weights at their start, and saves them', async () => {
    const model = await CausalLM.fromPretrained(llama, {
      adapter: { r: 2, targetModules: ['q_proj', 'v_proj'] },
    });
    const outputDir = tempDir();
    await train(model, { freeze: ['model.layers.0.*'] }, outputDir);
    const saved = readSafetensors(join(outputDir, 'final_model', 'adapter_model.safetensors'));
    for (const [name, tensor] of Object.entries(saved)) {
      if (!name.includes('lora_B')) continue;
      expect(
        numbers(tensor).some((value) => value !== 0),
        name,
      ).toBe(name.includes('layers.1.'));
    }
    expect(Object.keys(saved).filter((name) => name.includes('layers.0.'))).toHaveLength(4);
    model.dispose();
  });

  it.each([
    [
      { freeze: ['model.embed_tokenz'] },
      /freeze.*"model\.embed_tokenz", which fits none; did you mean "model\.embed_tokens"/s,
    ],
    [{ freeze: ['*'] }, /freeze fits all of them/],
    [{ unfrozenParameters: ['no.such'] }, /unfrozenParameters.*"no\.such"/s],
    [{ learningRateMultipliers: { 'model.layer.0': 2 } }, /learningRateMultipliers.*"model\.layer\.0"/s],
  ])('that does not fit the model is an error before the first step: %j', async (args, message) => {
    const model = await CausalLM.fromPretrained(llama);
    const error = await errorOf(() => train(model, args), 'CONFIG_INVALID');
    expect(error.message).toMatch(message);
    model.dispose();
  });

  it('is refused beside its reverse, and with no pattern', () => {
    const model = {} as CausalLM;
    const made = (args: Args) => () => new AdaptiveTrainer({ model, trainDataset: rows, args });
    expect(made({ freeze: ['a'], unfrozenParameters: ['b'] })).toThrow(/remove one of the two/);
    expect(made({ freeze: [] })).toThrow(/a list that is not empty/);
  });

  it('is remembered by a checkpoint', async () => {
    const outputDir = tempDir();
    const run = async (args: Args) => {
      const model = await CausalLM.fromPretrained(llama);
      await train(model, { saveStrategy: 'epoch', ...args }, outputDir).finally(() => model.dispose());
    };
    await run({ freeze: ['lm_head'] });
    const state = JSON.parse(
      readFileSync(join(outputDir, 'checkpoint-2', 'run_state.json'), 'utf8'),
    ) as object;
    expect(JSON.stringify(state)).toContain('"args.freeze":"[\\"lm_head\\"]"');
    const error = await errorOf(() =>
      run({ numEpochs: 2, resumeFromCheckpoint: true, freeze: ['model.norm'] }),
    );
    expect(error.code).toBe('CHECKPOINT_MISMATCH');
    expect(error.message).toContain('args.freeze');
    await run({ numEpochs: 2, resumeFromCheckpoint: true, freeze: ['lm_head'] });
  });
});

// The addon called directly, past every check of src/: whatever comes in, an error comes out and the process lives.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findWeights } from '../../src/model/files/find-weights.js';
import type { NativeAddon, NativeModel } from '../../src/engine/addon.js';
import { loadAddon } from '../../src/engine/load/load-addon.js';
import {
  adapter,
  addonCalls,
  batch,
  decoder,
  flat,
  keepStates,
  options,
  prompt,
  state,
  wrongValues,
} from '../helpers/addon-calls.js';
import { tempDir } from '../helpers/temp-dir.js';
import { tinyConfig, writeTinyModel } from '../helpers/tiny-model.js';

const root = process.cwd();
let addon: NativeAddon;
let dir: string;
let files: Awaited<ReturnType<typeof findWeights>>;
let model: NativeModel;
let before: Float32Array;

async function open(): Promise<NativeModel> {
  const opened = await addon.createModel(decoder);
  await opened.load({ files });
  return opened;
}

beforeAll(async () => {
  addon = loadAddon();
  dir = writeTinyModel(tempDir());
  // Names of files among the wrong arguments lead nowhere else.
  process.chdir(dir);
  files = await findWeights(dir);
  model = await open();
  before = await model.logits(flat);
});
afterAll(() => {
  process.chdir(root);
  model.dispose();
});

/**
 * What a call may do: succeed, throw an Error, or reject with one that has a code and words of its own. Never hang, never
 * crash.
 */
async function attempt(call: () => unknown): Promise<string> {
  let result: unknown;
  try {
    result = call();
  } catch (error) {
    expect(error).toBeInstanceOf(Error);
    return 'thrown';
  }
  try {
    await result;
    return 'fine';
  } catch (error) {
    expect(error).toBeInstanceOf(Error);
    expect((error as { code?: unknown }).code, (error as Error).message).toMatch(/^[A-Z_]+$/);
    expect((error as { code?: unknown }).code, (error as { cause?: Error }).cause?.message).not.toBe(
      'NATIVE_FAILED',
    );
    return (error as { code: string }).code;
  }
}

/** `value` with each property, and each of those of its objects, replaced by what `replace` gives. */
function* variants(value: object, replace: () => unknown): Generator<object> {
  for (const [key, old] of Object.entries(value)) {
    yield { ...value, [key]: replace() };
    if (old !== null && typeof old === 'object' && !ArrayBuffer.isView(old)) {
      for (const inner of variants(old as object, replace)) {
        yield { ...value, [key]: Array.isArray(old) ? Object.values(inner) : inner };
      }
    }
  }
}

describe('the raw addon', () => {
  it.each(Object.keys(addonCalls))(
    '%s lives through every wrong argument, and works afterwards',
    async (name) => {
      const { argument, call } = addonCalls[name]!;
      const native = await open();
      const context = { addon, model: native, dir, files };
      await native.createOptimizer(options);
      await keepStates(native, dir);
      const outcomes = new Set<string>();
      for (const [, replace] of wrongValues) {
        outcomes.add(await attempt(() => call(context, replace() as never)));
        for (const variant of variants(argument(context), replace)) {
          outcomes.add(await attempt(() => call(context, variant as never)));
        }
      }
      outcomes.add(await attempt(() => call(context, undefined as never)));
      expect(outcomes).toContain('thrown');
      // The sizes of a model may ask for more than a machine has left; nothing else asks for much.
      if (name !== 'createModel') expect(outcomes).not.toContain('OUT_OF_MEMORY');
      native.dispose();
      await addon.setThreads({ threads: 2 });
      expect(await model.logits(flat)).toEqual(before);
    },
    60_000,
  );

  it('leaves wrong types to TypeError, naming the argument', () => {
    const expectType = (call: () => unknown, name: string) => {
      expect(call).toThrow(TypeError);
      expect(call).toThrow(name);
    };
    expectType(() => model.logits({ ...flat, inputIds: [1] as never }), 'inputIds');
    expectType(() => model.logits({ ...flat, cuSeqlens: Float32Array.of(0, 4) as never }), 'cuSeqlens');
    expectType(() => model.logits(undefined as never), 'argument 0');
    expectType(() => model.trainMicroBatch({ ...batch, topK: 1.5 }), 'topK');
    expectType(() => model.trainMicroBatch({ ...batch, scale: '1' as never }), 'scale');
    expectType(() => model.trainMicroBatch({ ...batch, state: { ...state, alpha: null as never } }), 'alpha');
    expectType(() => model.trainMicroBatch({ ...batch, loss: 1 as never }), 'loss');
    expectType(() => model.trainMicroBatch({ ...batch, styles: Uint8Array.of(1, 4) }), 'styles');
    expectType(() => model.nextTokens({} as never), 'generation');
    expectType(() => addon.createModel({ ...decoder, layers: {} as never }), 'an array for layers');
    expectType(() => addon.setThreads({ threads: 1e9 }), 'threads');
  });

  it.each<[string, object]>([
    ['kvHeads', { kvHeads: 0 }],
    ['the number of layers', { layers: [] }],
    ['layers[0].rope', { layers: [{ ...decoder.layers[0], rope: 1 }] }],
    ['ropes[0].dims', { ropes: [{ ...decoder.ropes[0], dims: 7 }] }],
    ['ropes[0].dims', { ropes: [{ ...decoder.ropes[0], dims: 2 ** 30 }] }],
    ['ropes[0].theta', { ropes: [{ ...decoder.ropes[0], theta: 0 }] }],
    ['gated', { gated: false }],
    ['a machine can hold', { hiddenSize: 2 ** 31 - 1, vocabSize: 2 ** 31 - 1 }],
  ])('refuses a decoder whose %s no model has', async (name, wrong) => {
    await expect(addon.createModel({ ...decoder, ...wrong })).rejects.toMatchObject({
      code: 'MODEL_CONFIG_INVALID',
      message: expect.stringContaining(name) as string,
    });
  });

  it('computes nothing before there are weights', async () => {
    const empty = await addon.createModel(decoder);
    for (const call of [
      () => empty.logits(flat),
      () => empty.trainMicroBatch(batch),
      () => empty.mergeAdapter(),
    ])
      await expect(call()).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    empty.dispose();
  });

  it.each<[string, Int32Array]>([
    ['beyond the ids and back', Int32Array.of(0, 2 ** 31 - 1, 4)],
    ['falling', Int32Array.of(0, 4, 2, 4)],
    ['standing still', Int32Array.of(0, 2, 2, 4)],
    ['negative', Int32Array.of(0, -2, 4)],
    ['not from 0', Int32Array.of(1, 4)],
    ['short of the end', Int32Array.of(0, 3)],
    ['one entry', Int32Array.of(0)],
  ])('refuses cuSeqlens that are %s', async (_, cuSeqlens) => {
    await expect(model.logits({ ...flat, cuSeqlens })).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  });

  it('refuses a generation that belongs to another model', async () => {
    const deeper = await addon.createModel({ ...decoder, layers: Array(7).fill(decoder.layers[0]) });
    const generation = await model.startGeneration(prompt);
    await expect(deeper.nextTokens(generation)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    expect((await model.nextTokens(generation)).tokens[0]).toBeLessThan(tinyConfig.vocab_size);
    deeper.dispose();
  });

  it('refuses a backward without its forward, twice, or with another number of weights', async () => {
    const native = await open();
    await expect(native.backward({})).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    await native.forward(batch);
    await expect(native.backward({ weights: new Float32Array(1) })).rejects.toMatchObject({
      code: 'INVALID_INPUT',
    });
    await native.backward({ weights: new Float32Array(2) });
    await expect(native.backward({})).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    await expect(native.optimizerStep({ learningRate: 1, maxGradNorm: 1, pull: 0 })).rejects.toMatchObject({
      code: 'INVALID_INPUT',
    });
    native.dispose();
  });

  it('survives whatever comes between a forward and its backward', async () => {
    const between: ((native: NativeModel) => Promise<unknown>)[] = [
      (native) =>
        native.configure({ computeType: 'bfloat16', masterType: 'float32', gradientCheckpointing: true }),
      (native) => native.clearGradients(),
      (native) => native.addAdapter(adapter),
      (native) => native.addAdapter(adapter).then(() => native.mergeAdapter()),
      (native) => native.createOptimizer(options),
      (native) => native.load({ files }),
      (native) => native.lossAndGradients(flat),
      (native) => native.trainMicroBatch(batch),
      (native) => native.optimizerStep({ learningRate: 0.1, maxGradNorm: 1, pull: 0 }),
      (native) => native.forward({ ...batch, labels: Int32Array.of(-100, -100, -100, -100) }),
    ];
    for (const work of between) {
      for (const gradientCheckpointing of [false, true]) {
        const native = await open();
        await native.configure({ computeType: 'float32', masterType: 'float32', gradientCheckpointing });
        await native.createOptimizer(options);
        await native.trainMicroBatch(batch);
        await native.forward(batch);
        await attempt(() => work(native));
        await attempt(() => native.backward({}));
        await attempt(() => native.optimizerStep({ learningRate: 0.1, maxGradNorm: 1, pull: 0 }));
        expect(await native.logits(flat)).toHaveLength(4 * tinyConfig.vocab_size);
        native.dispose();
      }
    }
  });

  it('says DISPOSED once disposed, and may be disposed again', async () => {
    const native = await open();
    const running = native.logits(flat);
    native.dispose();
    native.dispose();
    expect(await running).toEqual(before);
    expect(() => native.logits(flat)).toThrow(expect.objectContaining({ code: 'DISPOSED' }));
  });

  it('may be disposed by the getter of an argument', async () => {
    const native = await open();
    const argument = {
      inputIds: flat.inputIds,
      get cuSeqlens() {
        native.dispose();
        return flat.cuSeqlens;
      },
    };
    expect(() => native.logits(argument)).toThrow('disposed');
  });

  it('takes no other object for a model', () => {
    const { logits } = model;
    for (const other of [{}, null, undefined, 7, [], Object.create(model) as object]) {
      expect(() => logits.call(other as never, flat)).toThrow();
    }
    const Model = model.constructor as new (...args: unknown[]) => NativeModel;
    for (const args of [[], [{}], [1], [null], [model]]) expect(() => new Model(...args)).toThrow(TypeError);
  });

  it('takes no handle of one kind for one of another', async () => {
    const generation = await model.startGeneration(prompt);
    const Model = model.constructor as new (...args: unknown[]) => NativeModel;
    expect(() => new Model(generation)).toThrow(TypeError);
    for (const other of [model, Object.create(generation) as object, new Proxy(generation, {}), addon])
      expect(() => model.nextTokens(other as never)).toThrow(TypeError);
    expect((await model.nextTokens(generation)).tokens).toHaveLength(1);
  });

  it('takes no generation that was let go of, which may be done twice', async () => {
    const generation = await model.startGeneration(prompt);
    await model.endGeneration(generation);
    expect(() => model.nextTokens(generation)).toThrow('a generation that has not ended');
    await model.endGeneration(generation);
  });
});

// The addon called directly, past every check of src/: whatever comes in, an error comes out and the process lives.
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findWeights } from '../../src/model/files/find-weights.js';
import { readDecoderConfig } from '../../src/model/architecture/read-decoder-config.js';
import type { NativeAddon, NativeModel } from '../../src/engine/addon.js';
import { loadAddon } from '../../src/engine/load/load-addon.js';
import { tempDir } from '../helpers/temp-dir.js';
import { tinyConfig, writeTinyModel } from '../helpers/tiny-model.js';

const decoder = readDecoderConfig({ ...tinyConfig }, 'config.json');
const state = {
  ...{ alpha: 1, beta: 1, alphaMoment1: 0, alphaMoment2: 0, betaMoment1: 0, betaMoment2: 0, step: 0 },
};
const flat = { inputIds: Int32Array.of(1, 2, 3, 4), cuSeqlens: Int32Array.of(0, 3, 4) };
const loss = { loss: 'adaptive', topK: 2, confidence: 0, scale: 1, state } as const;
const batch = { ...flat, labels: Int32Array.of(1, 2, 3, 4), styles: Uint8Array.of(1, 2), ...loss };
const options = {
  ...{ name: 'adamw' as const, beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0, momentum: 0, seed: 0 },
} as const;
const prompt = {
  ...{ inputIds: Int32Array.of(1, 2), cuSeqlens: Int32Array.of(0, 2), temperature: 1, topK: 0, topP: 1 },
  ...{ repetitionPenalty: 1, seed: 1, stopTokenIds: new Int32Array() },
};
const adapter = {
  targets: [
    { module: 'model.layers.0.self_attn.q_proj', rank: 2, scale: 1, dropout: 0, magnitude: true },
    { module: 'model.layers.1.mlp.up_proj', rank: 3, scale: 0.5, dropout: 0.5, magnitude: false },
  ],
  ...{ modulesToSave: ['lm_head'], gaussian: false, seed: 1 },
};
const head = {
  ...{ hidden: new Float32Array(4 * 3), weight: new Float32Array(5 * 3), labels: Int32Array.of(0, 1, 2, 3) },
  ...{ demarcationIds: Int32Array.of(1), styles: Uint8Array.of(1, 2), rows: 2, seq: 2, hiddenSize: 3 },
  ...{ vocabSize: 5, chunkTokens: 0, bfloat16: false, training: true, ...loss },
};

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
  files = await findWeights(dir);
  model = await open();
  before = await model.logits(flat);
});
afterAll(() => model.dispose());

function detached<T extends Int32Array | Float32Array | Uint8Array>(array: T): T {
  const copy = array.slice() as T;
  structuredClone(copy, { transfer: [copy.buffer as ArrayBuffer] });
  return copy;
}

const wrong: [string, () => unknown][] = [
  ['undefined', () => undefined],
  ['null', () => null],
  ['a text', () => 'text'],
  ['an empty text', () => ''],
  ['0', () => 0],
  ['-1', () => -1],
  ['1.5', () => 1.5],
  ['2^31', () => 2 ** 31],
  ['2^53', () => 2 ** 53],
  ['-2^53', () => -(2 ** 53)],
  ['1e308', () => 1e308],
  ['NaN', () => NaN],
  ['Infinity', () => Infinity],
  ['a bigint', () => 7n],
  ['a symbol', () => Symbol('x')],
  ['true', () => true],
  ['false', () => false],
  ['{}', () => ({})],
  ['[]', () => []],
  ['[1]', () => [1]],
  ['[null]', () => [null]],
  ['a function', () => () => {}],
  ['an ArrayBuffer', () => new ArrayBuffer(16)],
  ['a DataView', () => new DataView(new ArrayBuffer(16))],
  ['no int32', () => new Int32Array()],
  ['int32', () => Int32Array.of(0, 1, 2 ** 31 - 1)],
  ['negative int32', () => Int32Array.of(0, -5, 4)],
  ['other int32', () => Int32Array.of(0, 1000, 4)],
  ['many int32', () => new Int32Array(1000)],
  ['a detached int32', () => detached(Int32Array.of(1, 2, 3))],
  ['uint8', () => Uint8Array.of(0, 255)],
  ['a detached uint8', () => detached(Uint8Array.of(1, 2))],
  ['float32', () => Float32Array.of(NaN, Infinity)],
  ['a detached float32', () => detached(Float32Array.of(1))],
  ['float64', () => Float64Array.of(1, 2)],
  ['bigint64', () => BigInt64Array.of(1n)],
  [
    'an object that throws',
    () =>
      new Proxy(
        {},
        {
          get() {
            throw new RangeError('from the proxy');
          },
        },
      ),
  ],
];

/** What a call may do: succeed, throw an Error, or reject with one that has a code. Never hang, never crash. */
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

const calls: Record<
  string,
  { argument: () => object; call: (native: NativeModel, argument: never) => unknown }
> = {
  setThreads: { argument: () => ({ threads: 0 }), call: (_, a) => addon.setThreads(a) },
  adaptiveLoss: { argument: () => head, call: (_, a) => addon.adaptiveLoss(a) },
  createModel: {
    argument: () => decoder,
    call: (_, a) => addon.createModel(a).then((created) => created.dispose()),
  },
  load: { argument: () => ({ files }), call: (m, a) => m.load(a) },
  configure: {
    argument: () => ({ computeType: 'float32', masterType: 'float32', gradientCheckpointing: false }),
    call: (m, a) => m.configure(a),
  },
  logits: { argument: () => flat, call: (m, a) => m.logits(a) },
  lossAndGradients: { argument: () => flat, call: (m, a) => m.lossAndGradients(a) },
  'trainMicroBatch, with dropout': {
    argument: () => ({ ...batch, dropout: { seed: 1, step: 2, microBatch: 3 } }),
    call: (m, a) => m.trainMicroBatch(a),
  },
  trainMicroBatch: { argument: () => batch, call: (m, a) => m.trainMicroBatch(a) },
  forward: { argument: () => batch, call: (m, a) => m.forward(a) },
  backward: { argument: () => ({ weights: Float32Array.of(1, 1) }), call: (m, a) => m.backward(a) },
  evaluate: { argument: () => batch, call: (m, a) => m.evaluate(a) },
  'evaluate, with eaft': {
    argument: () => ({ ...batch, loss: 'eaft' }),
    call: (m, a) => m.evaluate(a),
  },
  createOptimizer: { argument: () => options, call: (m, a) => m.createOptimizer(a) },
  addAdapter: {
    argument: () => adapter,
    call: (m, a) => m.addAdapter(a).then(() => m.mergeAdapter()),
  },
  optimizerStep: {
    argument: () => ({ learningRate: 0, maxGradNorm: 1 }),
    call: (m, a) => m.optimizerStep(a),
  },
  findNonFinite: { argument: () => batch, call: (m, a) => m.findNonFinite(a) },
  saveOptimizer: {
    argument: () => ({ path: join(dir, 'o.safetensors'), header: '{}' }),
    call: (m, a) => m.saveOptimizer(a),
  },
  loadOptimizer: { argument: () => ({ steps: 1, files }), call: (m, a) => m.loadOptimizer(a) },
  save: {
    argument: () => ({
      path: join(dir, 'w.safetensors'),
      header: '{}',
      names: ['model.norm.weight'],
      dtype: 'F32',
    }),
    call: (m, a) => m.save(a),
  },
  startGeneration: {
    argument: () => prompt,
    call: (m, a) => m.startGeneration(a).then((generation) => m.nextTokens(generation)),
  },
  nextTokens: { argument: () => ({}), call: (m, a) => m.nextTokens(a) },
};

describe('the raw addon', () => {
  it.each(Object.keys(calls))(
    '%s lives through every wrong argument, and works afterwards',
    async (name) => {
      const { argument, call } = calls[name]!;
      const native = await open();
      await native.createOptimizer(options);
      const outcomes = new Set<string>();
      for (const [, replace] of wrong) {
        outcomes.add(await attempt(() => call(native, replace() as never)));
        for (const variant of variants(argument(), replace)) {
          outcomes.add(await attempt(() => call(native, variant as never)));
        }
      }
      outcomes.add(await attempt(() => call(native, undefined as never)));
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
    expectType(() => addon.createModel({ ...decoder, kvHeads: 0 }), 'sizes');
    expectType(() => addon.createModel({ ...decoder, layers: [] }), 'layers');
    expectType(() => addon.setThreads({ threads: 1e9 }), 'threads');
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
    await expect(native.optimizerStep({ learningRate: 1, maxGradNorm: 1 })).rejects.toMatchObject({
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
      (native) => native.optimizerStep({ learningRate: 0.1, maxGradNorm: 1 }),
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
        await attempt(() => native.optimizerStep({ learningRate: 0.1, maxGradNorm: 1 }));
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
});

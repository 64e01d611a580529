// Every function of the addon with an argument that it takes, and values that no argument should be.
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AdapterRequest, NativeAddon, NativeModel } from '../../src/engine/addon.js';
import { readDecoderConfig } from '../../src/model/architecture/read-decoder-config.js';
import type { findWeights } from '../../src/model/files/find-weights.js';
import { tinyConfig } from './tiny-model.js';

export const decoder = readDecoderConfig({ ...tinyConfig }, 'config.json');
export const state = {
  ...{ alpha: 1, beta: 1, alphaMoment1: 0, alphaMoment2: 0, betaMoment1: 0, betaMoment2: 0, step: 0 },
};
export const flat = { inputIds: Int32Array.of(1, 2, 3, 4), cuSeqlens: Int32Array.of(0, 3, 4) };
const loss = { loss: 'adaptive', topK: 2, confidence: 0, scale: 1, state } as const;
export const batch = { ...flat, labels: Int32Array.of(1, 2, 3, 4), styles: Uint8Array.of(1, 2), ...loss };
export const options = {
  ...{ name: 'adamw' as const, beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0, momentum: 0, seed: 0 },
  ...{ sgd: { dampening: 0, nesterov: false }, adagrad: { lrDecay: 0 } },
  rmsprop: { alpha: 0.99, centered: false },
  ademamix: { beta3: 0.9999, alpha: 5, alphaWarmup: 0, beta3Warmup: 0 },
} as const;
export const prompt = {
  ...{ inputIds: Int32Array.of(1, 2), cuSeqlens: Int32Array.of(0, 2), temperature: 1, topK: 0, topP: 1 },
  ...{ repetitionPenalty: 1, seed: 1, stopTokenIds: new Int32Array() },
};
export const adapter = {
  targets: [
    {
      module: 'model.layers.0.self_attn.q_proj',
      rank: 2,
      scale: 1,
      dropout: 0,
      magnitude: true,
      form: 'linear',
    },
    {
      module: 'model.layers.1.mlp.up_proj',
      rank: 3,
      scale: 0.5,
      dropout: 0.5,
      magnitude: false,
      form: 'linear',
    },
    { module: 'model.embed_tokens', rank: 2, scale: 1, dropout: 0, magnitude: false, form: 'embedding' },
  ],
  ...{ modulesToSave: ['lm_head'], biases: [], tokenRows: [], keepsTied: false, seed: 1 },
  ...{ init: 'uniform', rounds: -1 },
} satisfies AdapterRequest;
const head = {
  ...{ hidden: new Float32Array(4 * 3), weight: new Float32Array(5 * 3), labels: Int32Array.of(0, 1, 2, 3) },
  ...{ demarcationIds: Int32Array.of(1), styles: Uint8Array.of(1, 2), rows: 2, seq: 2, hiddenSize: 3 },
  ...{ vocabSize: 5, chunkTokens: 0, bfloat16: false, training: true, ...loss },
};

/** Zeros in place of hidden states of `flat`, in a file. */
function storedStates(dir: string) {
  const path = join(dir, 'states');
  const bytes = 4 * decoder.hiddenSize * 4;
  // Not written anew while it is mapped.
  if (!existsSync(path)) writeFileSync(path, new Uint8Array(bytes));
  const tensor = { name: 'hidden', dtype: 'F32', shape: [4, decoder.hiddenSize], begin: 0, end: bytes };
  return { path, tensor, cuSeqlens: Int32Array.of(0, 3, 4) };
}

/** Gives a model a base, whose states are stored. */
export async function keepStates(model: NativeModel, dir: string): Promise<void> {
  await model.keepBase();
  await model.addBaseRows(storedStates(dir));
}

async function quantizedAnew(addon: NativeAddon, files: CallContext['files'], request: never): Promise<void> {
  const model = await addon.createModel(decoder);
  try {
    await model.quantize(request);
    await model.load({ files });
    await model.addAdapter(adapter);
    await model.lossAndGradients(flat);
    await model.mergeAdapter();
  } finally {
    model.dispose();
  }
}

function detached<T extends Int32Array | Float32Array | Uint8Array>(array: T): T {
  const copy = array.slice() as T;
  structuredClone(copy, { transfer: [copy.buffer as ArrayBuffer] });
  return copy;
}

/** Values of every kind, by name. */
export const wrongValues: [string, () => unknown][] = [
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

export interface CallContext {
  addon: NativeAddon;
  model: NativeModel;
  /** Where files may be written. */
  dir: string;
  /** The weights of the tiny model. */
  files: Awaited<ReturnType<typeof findWeights>>;
}

export interface AddonCall {
  /** One that the function takes. */
  argument: (context: CallContext) => object;
  call: (context: CallContext, argument: never) => unknown;
}

/** Each call by name. */
export const addonCalls: Record<string, AddonCall> = {
  setThreads: { argument: () => ({ threads: 0 }), call: ({ addon }, a) => addon.setThreads(a) },
  adaptiveLoss: { argument: () => head, call: ({ addon }, a) => addon.adaptiveLoss(a) },
  createModel: {
    argument: () => decoder,
    call: ({ addon }, a) => addon.createModel(a).then((created) => created.dispose()),
  },
  load: { argument: ({ files }) => ({ files }), call: ({ model: m }, a) => m.load(a) },
  configure: {
    argument: () => ({ computeType: 'float32', masterType: 'float32', gradientCheckpointing: false }),
    call: ({ model: m }, a) => m.configure(a),
  },
  logits: { argument: () => flat, call: ({ model: m }, a) => m.logits(a) },
  lossAndGradients: { argument: () => flat, call: ({ model: m }, a) => m.lossAndGradients(a) },
  'trainMicroBatch, with dropout': {
    argument: () => ({ ...batch, dropout: { seed: 1, step: 2, microBatch: 3 } }),
    call: ({ model: m }, a) => m.trainMicroBatch(a),
  },
  'trainMicroBatch, with retained rows': {
    argument: () => ({
      ...batch,
      labels: Int32Array.of(1, 2, 3, -100),
      retained: { store: 0, rows: Int32Array.of(1), weight: 0.5 },
    }),
    call: ({ model: m }, a) => m.trainMicroBatch(a),
  },
  baseHiddenStates: { argument: () => flat, call: ({ model: m }, a) => m.baseHiddenStates(a) },
  addBaseRows: { argument: ({ dir }) => storedStates(dir), call: ({ model: m }, a) => m.addBaseRows(a) },
  divergence: {
    argument: () => ({ ...flat, retained: { store: 0, rows: Int32Array.of(0, 1), weight: 0 } }),
    call: ({ model: m }, a) => m.divergence(a),
  },
  setBaseWeights: {
    argument: ({ files }) => ({ files }),
    call: ({ model: m }, a) => m.setBaseWeights(a),
  },
  trainMicroBatch: { argument: () => batch, call: ({ model: m }, a) => m.trainMicroBatch(a) },
  forward: { argument: () => batch, call: ({ model: m }, a) => m.forward(a) },
  backward: {
    argument: () => ({ weights: Float32Array.of(1, 1) }),
    call: ({ model: m }, a) => m.backward(a),
  },
  evaluate: { argument: () => batch, call: ({ model: m }, a) => m.evaluate(a) },
  'evaluate, with eaft': {
    argument: () => ({ ...batch, loss: 'eaft' }),
    call: ({ model: m }, a) => m.evaluate(a),
  },
  createOptimizer: { argument: () => options, call: ({ model: m }, a) => m.createOptimizer(a) },
  addAdapter: {
    argument: () => adapter,
    call: ({ model: m }, a) => m.addAdapter(a).then(() => m.mergeAdapter()),
  },
  quantize: {
    argument: () => ({
      weights: [
        ...[
          { name: 'model.layers.0.mlp.up_proj.weight', type: 'nf4', blockSize: 64, nested: true, offset: 0 },
        ],
        ...[
          {
            name: 'model.layers.1.self_attn.o_proj.weight',
            type: 'int8',
            blockSize: 64,
            nested: false,
            offset: 0,
          },
        ],
      ],
    }),
    // A model that has weights refuses; one that is to read them keeps them so, and computes.
    call: ({ addon, model: m, files }, a) => m.quantize(a).catch(() => quantizedAnew(addon, files, a)),
  },
  optimizerStep: {
    argument: () => ({ learningRate: 0, maxGradNorm: 1, pull: 0 }),
    call: ({ model: m }, a) => m.optimizerStep(a),
  },
  findNonFinite: { argument: () => batch, call: ({ model: m }, a) => m.findNonFinite(a) },
  saveOptimizer: {
    argument: ({ dir }) => ({ path: join(dir, 'o.safetensors'), header: '{}' }),
    call: ({ model: m }, a) => m.saveOptimizer(a),
  },
  loadOptimizer: {
    argument: ({ files }) => ({ steps: 1, lossScale: 1, goodSteps: 0, files }),
    call: ({ model: m }, a) => m.loadOptimizer(a),
  },
  save: {
    argument: ({ dir }) => ({
      path: join(dir, 'w.safetensors'),
      header: '{}',
      names: ['model.norm.weight'],
      dtype: 'F32',
    }),
    call: ({ model: m }, a) => m.save(a),
  },
  startGeneration: {
    argument: () => prompt,
    call: ({ model: m }, a) => m.startGeneration(a).then((generation) => m.nextTokens(generation)),
  },
  nextTokens: { argument: () => ({}), call: ({ model: m }, a) => m.nextTokens(a) },
  endGeneration: { argument: () => ({}), call: ({ model: m }, a) => m.endGeneration(a) },
  initialise: {
    argument: () => ({ deviation: 0.02, residualDeviation: 0.01, seed: 1 }),
    call: ({ model: m }, a) => m.initialise(a),
  },
  resize: { argument: () => ({ vocabSize: 71, seed: 1 }), call: ({ model: m }, a) => m.resize(a) },
};

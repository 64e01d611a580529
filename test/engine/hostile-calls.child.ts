// What hostile-calls.test.ts and `npm run test:sanitizers` run in a process of its own: <calls> <seed>. Calls every function
// of the addon, past TypeScript, with arguments that are wrong in one to three places, on models in every state. A call may
// give a result, a TypeError, or a rejection with a code and words of the library's own; anything else ends the process with
// the call that did it. Prints how often each came as JSON.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { DecoderConfig, NativeModel } from '../../src/engine/addon.js';
import { findAddon } from '../../src/engine/load/find-addon.js';
import { loadAddon } from '../../src/engine/load/load-addon.js';
import { findWeights } from '../../src/model/files/find-weights.js';
import {
  adapter,
  addonCalls,
  batch,
  decoder,
  flat,
  keepStates,
  options,
  prompt,
  wrongValues,
  type CallContext,
} from '../helpers/addon-calls.js';
import { randomNumbers } from '../helpers/random.js';
import { tempDir } from '../helpers/temp-dir.js';
import { writeTinyModel } from '../helpers/tiny-model.js';

const [count, seed] = process.argv.slice(2).map(Number) as [number, number];
const random = randomNumbers(seed);
const upTo = (n: number) => Math.floor(random() * n);
const pick = <T>(values: readonly T[]): T => values[upTo(values.length)]!;

const addon = loadAddon();
const dir = writeTinyModel(tempDir());
const files = await findWeights(dir);
// Names of files that lead nowhere else are written here.
process.chdir(dir);

const types = ['float32', 'bfloat16', 'float16'] as const;

// ---- arguments ----

const whole = [
  ...[0, -0, 1, -1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 16, 31, 64, 255, 256, 2 ** 16, 2 ** 20 + 1, 2 ** 31 - 1],
  ...[2 ** 31, 2 ** 32, 2 ** 53 - 1, -(2 ** 31), -(2 ** 53)],
];
const numbers = [...whole, 0.5, -0.5, 1.5, 1e-300, 1e-30, 1e30, 1e300, NaN, Infinity, -Infinity];

type NumberArray = Float32Array | Float64Array | Int32Array | Uint8Array;
const isNumbers = (value: unknown): value is NumberArray =>
  [Float32Array, Float64Array, Int32Array, Uint8Array].some((type) => value instanceof type);

/** An array of the same type: cut, lengthened, with other entries, of another type, or detached. */
function otherArray(array: NumberArray): unknown {
  const Same = array.constructor as new (values: number[]) => NumberArray;
  const values = Array.from(array);
  const change = upTo(7);
  if (change === 0) return new Same(values.slice(0, upTo(values.length + 1)));
  if (change === 1) return new Same([...values, ...values, pick(numbers)]);
  if (change === 2)
    return pick([Float32Array, Float64Array, Int32Array, Uint8Array, Int16Array]).from(values);
  if (change === 3) return values;
  if (change === 4) return new Same(Array.from({ length: upTo(2000) }, () => pick(numbers)));
  for (let i = 0; i <= upTo(3); i++) values[upTo(values.length)] = pick(numbers);
  return new Same(values);
}

function otherText(text: string): unknown {
  return pick([
    text.slice(0, -1),
    `${text}x`,
    '',
    '\0',
    'é'.repeat(200),
    `${dir}/none/file`,
    dir,
    '__proto__',
    null,
  ]);
}

/** `value` with something else in its place. */
function otherValue(value: unknown): unknown {
  if (random() < 0.08) return pick(wrongValues)[1]();
  if (typeof value === 'number')
    return random() < 0.2
      ? value + pick([-1, 1, 2])
      : pick(Number.isInteger(value) && random() < 0.8 ? whole : numbers);
  if (typeof value === 'boolean') return !value;
  if (typeof value === 'string') return otherText(value);
  if (isNumbers(value)) return otherArray(value);
  if (Array.isArray(value)) {
    const list = value as unknown[];
    return pick<() => unknown>([
      () => [],
      () => list.slice(1),
      () => [...list, ...list],
      () => [...list, pick(wrongValues)[1]()],
      () => Array(3),
    ])();
  }
  return pick(wrongValues)[1]();
}

/** A copy in which one value, at any depth, is another. */
function mutated(value: unknown): unknown {
  const isBranch = value !== null && typeof value === 'object' && !ArrayBuffer.isView(value);
  const keys = isBranch ? Object.keys(value) : [];
  if (keys.length === 0 || random() < 0.1) return otherValue(value);
  const key = pick(keys);
  const inner = (value as Record<string, unknown>)[key];
  if (Array.isArray(value)) return value.map((old: unknown, i) => (String(i) === key ? mutated(inner) : old));
  if (random() < 0.05) {
    const { [key]: _, ...rest } = value as Record<string, unknown>;
    return rest;
  }
  return { ...(value as object), [key]: mutated(inner) };
}

// ---- decoders ----

/** The tiny decoder as other families have it, each with something to get wrong. */
const decoders: DecoderConfig[] = [
  decoder,
  { ...decoder, names: 'qwen3', headNorm: pick(['rms', 'rms_of_all', 'none']), tiedHead: true },
  { ...decoder, names: 'gemma3', attentionCap: 5, logitsCap: 3, normOffset: 1, embeddingScale: 4 },
  {
    ...decoder,
    names: 'phi3',
    paddingId: 3,
    layers: decoder.layers.map((layer) => ({ ...layer, window: 3 })),
  },
  {
    ...decoder,
    ...{ names: 'phi', layerNorm: true, normBias: true, gated: false, headBias: true, headNorm: 'layer' },
    ...{ parallelResidual: true, sharedNorm: pick([true, false]), qkvClip: 2 },
    ropes: [{ ...decoder.ropes[0]!, interleaved: true }],
  },
  { ...decoder, names: 'stablelm', layerNorm: true, normWeight: false, headNorm: 'layer_of_each' },
  {
    ...decoder,
    ...{ names: 'gpt_neox', layerNorm: true, normBias: true, gated: false, qkvByHead: true },
    kvHeads: decoder.heads,
  },
  {
    ...decoder,
    ...{ names: 'gpt2', maxPositions: 16, layerNorm: true, normBias: true, gated: false },
    ...{ activation: 'gelu_tanh', qkvBias: true, outputBias: true, mlpBias: true, ropes: [] },
    layers: decoder.layers.map((layer) => ({ ...layer, rope: -1 })),
  },
  ...(['linear', 'dynamic', 'llama3', 'yarn', 'longrope'] as const).map((type): DecoderConfig => {
    const factors = { shortFactors: Float64Array.of(1, 1, 2, 2), longFactors: Float64Array.of(1, 2, 3, 4) };
    return {
      ...decoder,
      ropes: [{ ...decoder.ropes[0]!, ...factors, type, factor: 2, originalMaxPositions: 3 }],
    };
  }),
];

/** Makes a decoder that may be wrong, and lets it compute when it is taken: what was let through shows itself there. */
async function tryDecoder(): Promise<void> {
  let given: unknown = pick(decoders);
  for (let i = upTo(3); i > 0; i--) given = mutated(given);
  const model = await addon.createModel(given as DecoderConfig);
  const weights = await model.parameters();
  const size = weights.reduce((sum, { shape }) => sum + shape.reduce((product, n) => product * n, 1), 0);
  try {
    if (size > 4e6) return;
    await model.initialise({ deviation: 0.3, residualDeviation: 0.2, seed: 1 });
    if (random() < 0.5) {
      const request = { masterType: 'float32', gradientCheckpointing: random() < 0.5 } as const;
      await model.configure({ computeType: pick(types), ...request });
    }
    await model.createOptimizer(options);
    await model.logits(flat);
    await model.trainMicroBatch(batch);
    await model.optimizerStep({ learningRate: 0.01, maxGradNorm: 1, pull: 0 });
    const begun = await model.startGeneration(prompt);
    for (let i = 0; i < 4; i++) await model.nextTokens(begun);
  } finally {
    model.dispose();
  }
}

// ---- models ----

/** A model in some state: without weights, with an adapter, an optimizer, a forward that waits, or disposed. */
async function makeModel(): Promise<NativeModel> {
  const model = await addon.createModel(decoder);
  if (random() < 0.1) return model;
  await model.load({ files });
  if (random() < 0.3) await model.addAdapter(adapter);
  if (random() < 0.5) {
    const request = { masterType: 'float32', gradientCheckpointing: random() < 0.5 } as const;
    await model.configure({ computeType: pick(types), ...request });
  }
  const name = pick(['adamw', 'adamw_8bit', 'sgd', 'lion', 'adafactor'] as const);
  if (random() < 0.8) await model.createOptimizer({ ...options, name });
  if (random() < 0.5) await keepStates(model, dir).catch(() => {}); // those stored are float32
  return model;
}

const pristine = await addon.createModel(decoder);
await pristine.load({ files });
const expected = await pristine.logits(flat);
const models = [await makeModel(), await makeModel()];
const generation = await pristine.startGeneration(prompt);

// ---- calls ----

/** Those of addonCalls and the functions that take nothing, or something of another kind. */
const calls: Record<string, (context: CallContext) => unknown> = {
  parameters: ({ model }) => model.parameters(),
  trainable: ({ model }) => model.trainable(),
  mergeAdapter: ({ model }) => model.mergeAdapter(),
  memory: ({ model }) => model.memory(),
  releaseMemory: () => addon.releaseMemory(),
  optimizerState: ({ model }) => model.optimizerState(),
  clearGradients: ({ model }) => model.clearGradients(),
  keepBase: ({ model }) => model.keepBase(),
  weightsDigest: ({ model }) => model.weightsDigest(),
  'nextTokens of another': ({ model }) => model.nextTokens(generation),
  restOrExit: () => addon.restOrExit(pick(wrongValues)[1]() as number),
  'a method of nothing': ({ model }) =>
    (model.logits as (this: unknown, a: object) => unknown).call(pick(wrongValues)[1](), flat),
  preload: () => (existsSync(helper) ? preload(mutated(['libnone.so', '/'])) : undefined),
  dispose: ({ model }) => {
    if (random() < 0.02) model.dispose();
  },
};
for (const [name, { argument, call }] of Object.entries(addonCalls)) {
  calls[name] = (context) => {
    let given: unknown = argument(context);
    for (let i = upTo(4); i > 0; i--) given = mutated(given);
    return call(context, given as never);
  };
}

const helper = join(dirname(findAddon()), 'adaptive_trainer_preload.node');
function preload(paths: unknown): void {
  if (!existsSync(helper)) return;
  const module = { exports: {} as { preload: (paths: unknown) => void } };
  process.dlopen(module, helper);
  module.exports.preload(paths);
}

/** Codes that the addon gives. NATIVE_FAILED is not among them: it means words that are libtorch's. */
const codes = new Set([
  ...[
    'INVALID_INPUT',
    'MODEL_CONFIG_INVALID',
    'MODEL_UNSUPPORTED',
    'NOT_AVAILABLE',
    'DISPOSED',
    'OUT_OF_MEMORY',
  ],
  ...['LOSS_NOT_FINITE', 'WEIGHTS_NOT_FINITE', 'WEIGHTS_MISMATCH', 'SAFETENSORS_INVALID', 'IO_FAILED'],
]);
const ownWords = /^(Expected |Cannot |The system refused memory|This model has been disposed)/;
/** What V8 says by itself, and this file's own proxy. */
const theirWords = /^(Illegal invocation|Invalid argument|Cannot convert a Symbol|from the proxy)/;

const outcomes: Record<string, number> = {};
const called: Record<string, number> = {};

function judge(name: string, number: number, error: unknown): void {
  const { code, message } = error as { code?: string; message?: string };
  const isTyped = code !== undefined && codes.has(code);
  const isOwn = isTyped ? ownWords.test(message!) : ownWords.test(message!) || theirWords.test(message!);
  if (error instanceof Error && isOwn && (isTyped || code === undefined || theirWords.test(message!))) {
    const key = code ?? error.constructor.name;
    outcomes[key] = (outcomes[key] ?? 0) + 1;
    return;
  }
  console.error(`seed ${seed}, call ${number}, ${name}:`, error);
  process.exit(3);
}

async function make(name: string, number: number): Promise<void> {
  called[name] = (called[name] ?? 0) + 1;
  const context = { addon, model: pick(models), dir, files };
  try {
    await calls[name]!(context);
    outcomes['fine'] = (outcomes['fine'] ?? 0) + 1;
  } catch (error) {
    judge(name, number, error);
  }
}

calls['createModel'] = tryDecoder;

// Where most can go wrong, most is tried.
const names = [
  ...Object.keys(calls),
  ...Array<string>(5).fill('createModel'),
  ...Array<string>(2).fill('adaptiveLoss'),
];
for (let number = 0; number < count; number++) {
  // Now and then several at once, so that they wait in one queue. restOrExit() drops what waits: its promises never end.
  if (number % 10 === 0) {
    const several = [0, 1, 2].map(() => pick(names)).filter((name) => name !== 'restOrExit');
    await Promise.all(several.map((name) => make(name, number)));
  } else {
    await make(pick(names), number);
  }
  if (number % 25 === 24) {
    const place = upTo(models.length);
    models[place]!.dispose();
    models[place] = await makeModel();
  }
  if (number % 200 === 199 || number === count - 1) {
    await addon.setThreads({ threads: 2 });
    const found = await pristine.logits(flat);
    if (!found.every((value, i) => value === expected[i])) {
      console.error(`seed ${seed}, call ${number}: another model's numbers changed`);
      process.exit(4);
    }
  }
}
console.log(JSON.stringify({ outcomes, called }));
// restOrExit() may have dropped the rest of a dispose(), which would keep this process alive.
process.exit(0);

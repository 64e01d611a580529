import { mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { AdaptiveTrainer } from '../../src/trainer/adaptive-trainer.js';
import type { TrainingRow } from '../../src/events/training-row.js';
import type { ErrorCode } from '../../src/errors.js';
import { adaptiveLoss, type AdaptiveLossOptions } from '../../src/loss/adaptive-loss.js';
import { CausalLM } from '../../src/model/causal-lm.js';
import { trainAdaptively } from '../../src/train-adaptively.js';
import { errorOf } from '../helpers/error-of.js';
import { tempDir } from '../helpers/temp-dir.js';
import { tinyConfig, tinyWeights, writeTinyModel, type TinyConfig } from '../helpers/tiny-model.js';
import { plainArgs } from '../helpers/train-run.js';
import { trainingRows } from '../helpers/training-rows.js';
import {
  headerOf,
  safetensorsBytes,
  writeSafetensors,
  type HeaderEntry,
} from '../helpers/write-safetensors.js';

const { vocab_size: vocab } = tinyConfig;
const weights = tinyWeights(tinyConfig);
const embedding = 'model.embed_tokens.weight';
const good = trainingRows(6, vocab);
let dir: string;
let model: CausalLM;
let firstLosses: number[];

async function lossesOf(own: CausalLM): Promise<number[]> {
  const losses: number[] = [];
  await new AdaptiveTrainer({
    model: own,
    trainDataset: good,
    args: { ...plainArgs, learningRate: 0 },
    callbacks: [{ onStepEnd: ({ loss }) => void losses.push(loss) }],
  }).train();
  return losses;
}

beforeAll(async () => {
  dir = writeTinyModel(join(tempDir(), 'model'));
  model = await CausalLM.fromPretrained(dir);
  firstLosses = await lossesOf(model);
});
afterAll(() => model.dispose());
// The process lives, and the model trains as before, after each of these.
afterEach(async () => expect(await lossesOf(model)).toEqual(firstLosses));

/** A copy of the model folder in which one thing is wrong. */
function damaged(change: (dir: string) => void): string {
  const copy = writeTinyModel(join(tempDir(), 'model'));
  change(copy);
  return copy;
}

const weightsIn = (folder: string) => join(folder, 'model.safetensors');

describe('a safetensors file that is cut or lies', () => {
  type Header = Record<string, HeaderEntry>;
  const withHeader = (change: (header: Header) => unknown) => {
    const header = headerOf(weights);
    return safetensorsBytes(weights, change(header) ?? header);
  };
  const withEntry = (entry: Partial<HeaderEntry>) =>
    withHeader((header) => void Object.assign(header['model.norm.weight']!, entry));
  const whole = safetensorsBytes(weights);
  const announcing = (length: bigint) => {
    const bytes = Buffer.from(whole);
    bytes.writeBigUInt64LE(length);
    return bytes;
  };
  const headerLength = Number(whole.readBigUInt64LE());

  const files: [string, Buffer][] = [
    ['an empty file', Buffer.alloc(0)],
    ['seven bytes', Buffer.alloc(7)],
    ['eight zero bytes', Buffer.alloc(8)],
    ['a header longer than the file', announcing(BigInt(whole.length))],
    ['a header of 2^63 bytes', announcing(2n ** 63n)],
    ['a header of 2^64 - 1 bytes', announcing(2n ** 64n - 1n)],
    ['a header one byte short', announcing(BigInt(headerLength - 1))],
    ['a header that reaches into the data', announcing(BigInt(headerLength + 9))],
    ['a byte cut off the end', whole.subarray(0, whole.length - 1)],
    ['cut in the middle', whole.subarray(0, whole.length / 2)],
    ['cut in the header', whole.subarray(0, 100)],
    ['an extra byte at the end', Buffer.concat([whole, Buffer.alloc(1)])],
    ['a header that is not JSON', withHeader(() => '{"a":')],
    ['a header of zero bytes', safetensorsBytes(weights, '\0'.repeat(64))],
    ['a header that is an array', withHeader(() => [])],
    ['a header that is null', withHeader(() => 'null')],
    ['a header that is a number', withHeader(() => '7')],
    ['a header of nothing but braces', withHeader(() => ({}))],
    ['braces 100,000 deep', withHeader(() => '['.repeat(100_000))],
    ['a tensor that is null', withHeader((header) => ({ ...header, [embedding]: null }))],
    ['a tensor that is a string', withHeader((header) => ({ ...header, [embedding]: 'F32' }))],
    ['a tensor without fields', withHeader((header) => ({ ...header, [embedding]: {} }))],
    ['an unknown dtype', withEntry({ dtype: 'F31' })],
    ['a dtype that is a name of Object', withEntry({ dtype: 'constructor' })],
    ['no dtype', withEntry({ dtype: undefined })],
    ['a dtype that is a number', withEntry({ dtype: 32 })],
    ['a dtype of another size', withEntry({ dtype: 'F16' })],
    ['a negative shape', withEntry({ shape: [-16] })],
    ['two negative sizes', withEntry({ shape: [-4, -4] })],
    ['a shape of fractions', withEntry({ shape: [15.5] })],
    ['a shape of strings', withEntry({ shape: ['16'] })],
    ['no shape', withEntry({ shape: undefined })],
    ['a shape that is an object', withEntry({ shape: { 0: 16, length: 1 } })],
    ['a shape of another product', withEntry({ shape: [17] })],
    ['a shape whose product overflows', withEntry({ shape: [2 ** 40, 2 ** 40] })],
    ['a shape whose product is 2^64', withEntry({ shape: [2 ** 31, 2 ** 31] })],
    ['a shape with a zero', withEntry({ shape: [0, 16] })],
    ['a shape that is infinite', withHeader((header) => JSON.stringify(header).replace('[16]', '[1e999]'))],
    ['an offset below zero', withEntry({ data_offsets: [-64, 0] })],
    ['offsets that end before they begin', withEntry({ data_offsets: [64, 0] })],
    ['offsets that overlap', withEntry({ data_offsets: [0, 64] })],
    ['offsets beyond the file', withEntry({ data_offsets: [2 ** 40, 2 ** 40 + 64] })],
    ['offsets that are fractions', withEntry({ data_offsets: [0.5, 64.5] })],
    ['one offset', withEntry({ data_offsets: [0] })],
    ['three offsets', withEntry({ data_offsets: [0, 64, 64] })],
    ['offsets that are strings', withEntry({ data_offsets: ['0', '64'] })],
    ['no offsets', withEntry({ data_offsets: undefined })],
    [
      'a hole between tensors',
      withHeader((header) => {
        delete header['model.layers.0.input_layernorm.weight'];
      }),
    ],
    [
      'a hole before the first tensor',
      withHeader((header) => {
        for (const entry of Object.values(header)) {
          const [begin, end] = entry.data_offsets as [number, number];
          entry.data_offsets = [begin + 4, end + 4];
        }
      }),
    ],
  ];

  it.each(files)('%s', async (_, bytes) => {
    const folder = damaged((dir) => writeFileSync(weightsIn(dir), bytes));
    const error = await errorOf(() => CausalLM.fromPretrained(folder), 'SAFETENSORS_INVALID');
    expect(error.message).toContain(weightsIn(folder));
    expect(error.message).toMatch(/^Expected .* found /s);
  });

  it('names the tensor that is wrong', async () => {
    const folder = damaged((dir) => writeFileSync(weightsIn(dir), withEntry({ shape: [17] })));
    expect((await errorOf(() => CausalLM.fromPretrained(folder))).message).toContain('model.norm.weight');
  });

  it('a folder in its place', async () => {
    const folder = damaged((dir) => {
      rmSync(weightsIn(dir));
      mkdirSync(weightsIn(dir));
    });
    await errorOf(() => CausalLM.fromPretrained(folder), 'IO_FAILED');
  });

  it('a type that weights do not come in', async () => {
    const data = new Float32Array(32);
    const tensors = { ...weights, 'model.norm.weight': { shape: [16], data } };
    const header = headerOf(tensors);
    header['model.norm.weight']!.dtype = 'I64';
    const folder = damaged((dir) => writeFileSync(weightsIn(dir), safetensorsBytes(tensors, header)));
    const error = await errorOf(() => CausalLM.fromPretrained(folder), 'MODEL_UNSUPPORTED');
    expect(error.message).toContain('model.norm.weight');
  });

  it('one that is cut short between its check and its reading does not end the process', async () => {
    const folder = damaged(() => {});
    const opening = CausalLM.fromPretrained(folder);
    truncateSync(weightsIn(folder), 100);
    await opening.then(
      (opened) => opened.dispose(),
      (error) => expect(error).toHaveProperty('code'),
    );
  });
});

describe('shards', () => {
  function sharded(change: (dir: string, map: Record<string, string>) => void): string {
    return damaged((folder) => {
      rmSync(weightsIn(folder));
      const names = Object.keys(weights);
      const map: Record<string, string> = {};
      for (const [i, part] of [names.slice(0, 5), names.slice(5, 9), names.slice(9)].entries()) {
        const file = `model-0000${i + 1}-of-00003.safetensors`;
        for (const name of part) map[name] = file;
        writeSafetensors(join(folder, file), Object.fromEntries(part.map((name) => [name, weights[name]!])));
      }
      change(folder, map);
      writeFileSync(join(folder, 'model.safetensors.index.json'), JSON.stringify({ weight_map: map }));
    });
  }

  it('that are all there open', async () => {
    const opened = await CausalLM.fromPretrained(sharded(() => {}));
    expect((await opened.logits([[1, 2]])).data).toEqual((await model.logits([[1, 2]])).data);
    opened.dispose();
  });

  it('of which two are missing are both named', async () => {
    const folder = sharded((dir) => {
      rmSync(join(dir, 'model-00001-of-00003.safetensors'));
      rmSync(join(dir, 'model-00003-of-00003.safetensors'));
    });
    const error = await errorOf(() => CausalLM.fromPretrained(folder), 'MODEL_NOT_FOUND');
    expect(error.message).toContain('model-00001-of-00003.safetensors, model-00003-of-00003.safetensors');
  });

  it('of which one is cut short is named', async () => {
    const folder = sharded((dir) => truncateSync(join(dir, 'model-00002-of-00003.safetensors'), 3000));
    const error = await errorOf(() => CausalLM.fromPretrained(folder), 'SAFETENSORS_INVALID');
    expect(error.message).toContain('model-00002-of-00003.safetensors');
  });

  it('that the index leaves out leave weights missing', async () => {
    const folder = sharded((_, map) => {
      for (const name of Object.keys(map)) if (map[name]!.includes('00002')) delete map[name];
    });
    const error = await errorOf(() => CausalLM.fromPretrained(folder), 'WEIGHTS_MISMATCH');
    expect(error.details['missing']).toHaveLength(4);
  });

  it.each<[string, unknown]>([
    ['../model.safetensors', '../model.safetensors'],
    ['/etc/passwd', '/etc/passwd'],
    ['a number', 7],
    ['null', null],
    ['nothing', ''],
  ])('that the index looks for at %s are refused', async (_, name) => {
    const folder = sharded((_, map) => void (map[embedding] = name as string));
    await errorOf(() => CausalLM.fromPretrained(folder), 'SAFETENSORS_INVALID');
  });

  it.each(['', '[]', '{}', '{"weight_map": 3}', '{"weight_map": null}', '{"weight_map"'])(
    'with the index %s are refused',
    async (text) => {
      const folder = sharded(() => {});
      writeFileSync(join(folder, 'model.safetensors.index.json'), text);
      await errorOf(() => CausalLM.fromPretrained(folder), 'SAFETENSORS_INVALID');
    },
  );
});

describe('weights', () => {
  it.each([NaN, Infinity, -Infinity])('with a %s are refused, each tensor named', async (bad) => {
    const broken = tinyWeights(tinyConfig);
    broken[embedding]!.data[5] = bad;
    broken['model.layers.1.mlp.up_proj.weight']!.data[383] = bad;
    const folder = damaged((dir) => writeSafetensors(weightsIn(dir), broken));
    const error = await errorOf(() => CausalLM.fromPretrained(folder), 'WEIGHTS_NOT_FINITE');
    expect(error.message).toContain(embedding);
    expect(error.message).toContain('model.layers.1.mlp.up_proj.weight');
    expect(error.message).not.toContain('layers.0');
  });

  it('that are missing, extra and of another shape are all listed at once', async () => {
    const { 'model.norm.weight': _, 'lm_head.weight': __, ...rest } = weights;
    const tensors = {
      ...rest,
      [embedding]: { shape: [vocab + 1, 16], data: new Float32Array((vocab + 1) * 16) },
      'model.layers.0.self_attn.q_proj.weight': { shape: [256], data: new Float32Array(256) },
      'model.layers.2.mlp.up_proj.weight': { shape: [1], data: new Float32Array(1) },
      'vision.weight': { shape: [1], data: new Float32Array(1) },
    };
    const folder = damaged((dir) => writeSafetensors(weightsIn(dir), tensors));
    const error = await errorOf(() => CausalLM.fromPretrained(folder), 'WEIGHTS_MISMATCH');
    expect(error.details['missing']).toEqual(['model.norm.weight', 'lm_head.weight']);
    expect(error.details['extra']).toEqual(['model.layers.2.mlp.up_proj.weight', 'vision.weight']);
    expect(error.details['misshaped']).toHaveLength(2);
    for (const text of ['lm_head.weight', 'vision.weight', `[${vocab},16]`, `[${vocab + 1},16]`, '[256]']) {
      expect(error.message).toContain(text);
    }
  });

  it('of a pickled checkpoint are refused', async () => {
    const folder = damaged((dir) => {
      rmSync(weightsIn(dir));
      writeFileSync(join(dir, 'pytorch_model.bin'), '');
    });
    await errorOf(() => CausalLM.fromPretrained(folder), 'MODEL_UNSUPPORTED');
  });

  it('that are not there at all, or a folder that is not, or not a path', async () => {
    await errorOf(() => CausalLM.fromPretrained(damaged((dir) => rmSync(weightsIn(dir)))), 'MODEL_NOT_FOUND');
    await errorOf(
      () => CausalLM.fromPretrained(damaged((dir) => rmSync(join(dir, 'config.json')))),
      'MODEL_NOT_FOUND',
    );
    await errorOf(() => CausalLM.fromPretrained(join(dir, 'nowhere')), 'MODEL_NOT_FOUND');
    await errorOf(() => CausalLM.fromPretrained(weightsIn(dir)), 'MODEL_NOT_FOUND');
    for (const path of [undefined, null, 7, {}, '']) {
      await errorOf(
        () => CausalLM.fromPretrained(path as string),
        path === '' ? 'MODEL_NOT_FOUND' : 'INVALID_INPUT',
      );
    }
  });

  it('that a lying config.json makes larger than any memory are refused', async () => {
    for (const change of [
      { vocab_size: 2 ** 40 },
      { vocab_size: Number.MAX_SAFE_INTEGER, hidden_size: 2 ** 30, num_attention_heads: 2 ** 20 },
      { intermediate_size: 2 ** 44 },
      { num_hidden_layers: 2 ** 33 },
      { num_hidden_layers: 50_000_000 },
      { num_attention_heads: 2 ** 20, hidden_size: 2 ** 22 },
    ]) {
      const folder = damaged((dir) =>
        writeFileSync(join(dir, 'config.json'), JSON.stringify({ ...tinyConfig, ...change })),
      );
      const error = await errorOf(() => CausalLM.fromPretrained(folder));
      expect(['MODEL_CONFIG_INVALID', 'WEIGHTS_MISMATCH', 'OUT_OF_MEMORY']).toContain(error.code);
    }
  });
});

describe('config.json', () => {
  const opening = (config: unknown) =>
    CausalLM.fromPretrained(
      damaged((dir) =>
        writeFileSync(join(dir, 'config.json'), typeof config === 'string' ? config : JSON.stringify(config)),
      ),
    );

  it.each(['', 'garbage', '[]', 'null', '"llama"', '{"model_type": "llama"', '\0\0\0\0'])(
    'of %j is invalid',
    async (text) => {
      const error = await errorOf(() => opening(text), 'MODEL_CONFIG_INVALID');
      expect(error.message).toContain('config.json');
    },
  );

  it('without sizes is one of the default sizes, as in transformers, which the weights do not have', async () => {
    const error = await errorOf(() => opening({ model_type: 'llama' }), 'WEIGHTS_MISMATCH');
    expect(error.message).toContain('(expected [32000,4096], found [67,16])');
    expect(error.message.length).toBeLessThan(2_500);
  });

  const values: [string, unknown, ErrorCode][] = [
    ['model_type', 'mamba', 'MODEL_UNSUPPORTED'],
    ['model_type', 'constructor', 'MODEL_UNSUPPORTED'],
    ['model_type', undefined, 'MODEL_UNSUPPORTED'],
    ['model_type', ['llama'], 'MODEL_UNSUPPORTED'],
    ['quantization_config', { bits: 4 }, 'MODEL_UNSUPPORTED'],
    ['attention_dropout', 1.1, 'MODEL_CONFIG_INVALID'],
    ['num_key_value_heads', 3, 'MODEL_CONFIG_INVALID'],
    ['num_key_value_heads', 0, 'MODEL_CONFIG_INVALID'],
    ['num_attention_heads', 3, 'MODEL_CONFIG_INVALID'],
    ['num_attention_heads', 0, 'MODEL_CONFIG_INVALID'],
    ['num_attention_heads', -2, 'MODEL_CONFIG_INVALID'],
    ['num_attention_heads', 32, 'MODEL_CONFIG_INVALID'],
    ['head_dim', 7, 'MODEL_CONFIG_INVALID'],
    ['hidden_size', 16.5, 'MODEL_CONFIG_INVALID'],
    ['hidden_size', '16', 'MODEL_CONFIG_INVALID'],
    ['hidden_size', null, 'MODEL_CONFIG_INVALID'],
    ['hidden_size', 17, 'MODEL_CONFIG_INVALID'],
    ['vocab_size', 0, 'MODEL_CONFIG_INVALID'],
    ['vocab_size', 1e300, 'MODEL_CONFIG_INVALID'],
    ['num_hidden_layers', 0, 'MODEL_CONFIG_INVALID'],
    ['num_hidden_layers', true, 'MODEL_CONFIG_INVALID'],
    ['rms_norm_eps', 'small', 'MODEL_CONFIG_INVALID'],
    ['rms_norm_eps', -1e-6, 'MODEL_CONFIG_INVALID'],
    ['rope_theta', 0, 'MODEL_CONFIG_INVALID'],
    ['rope_scaling', 'yarn', 'MODEL_CONFIG_INVALID'],
    ['rope_scaling', { rope_type: 'linear' }, 'MODEL_CONFIG_INVALID'],
    ['rope_scaling', { rope_type: 'linear', factor: 0 }, 'MODEL_CONFIG_INVALID'],
    ['rope_scaling', { rope_type: 'llama3', factor: 8 }, 'MODEL_CONFIG_INVALID'],
    ['hidden_act', 'xielu', 'MODEL_CONFIG_INVALID'],
  ];
  it.each(values)('with %s = %j is refused, and named', async (key, value, code) => {
    const error = await errorOf(() => opening({ ...tinyConfig, [key]: value }), code);
    expect(error.message).toContain(
      key === 'rope_scaling' ? 'rope' : key.replace('num_attention_heads', 'head'),
    );
  });

  it('of other sizes than the weights is a mismatch', async () => {
    for (const change of [{ intermediate_size: 25 }, { num_hidden_layers: 3 }, { vocab_size: 66 }]) {
      await errorOf(() => opening({ ...tinyConfig, ...change } as TinyConfig), 'WEIGHTS_MISMATCH');
    }
  });

  it('beside a generation_config.json that is garbage', async () => {
    const folder = damaged((dir) => writeFileSync(join(dir, 'generation_config.json'), '{'));
    await errorOf(() => CausalLM.fromPretrained(folder), 'MODEL_CONFIG_INVALID');
  });
});

describe('options of fromPretrained', () => {
  it.each<[object, ErrorCode]>([
    [{ dtype: 'float16' }, 'INVALID_INPUT'],
    [{ dtype: 7 }, 'INVALID_INPUT'],
    [{ device: 'cuda' }, 'DEVICE_NOT_AVAILABLE'],
    [{ device: 'cuda:99' }, 'DEVICE_NOT_AVAILABLE'],
    [{ device: 'tpu' }, 'INVALID_INPUT'],
    [{ device: 7 }, 'INVALID_INPUT'],
    [{ attnImpl: 'flash_attention_2' }, 'NOT_AVAILABLE'],
  ])('%j', async (options, code) => {
    await errorOf(() => CausalLM.fromPretrained(dir, options), code);
  });
});

describe('sequences', () => {
  const bad: [string, unknown, string][] = [
    ['an id that is the size of the vocabulary', [[1, vocab]], `0 to ${vocab - 1}`],
    ['a negative id', [[1, 2], [-1]], 'row 1 at position 0'],
    ['an id beyond 32 bits', [[2 ** 32]], 'sequences[0]'],
    ['a fraction', [[1.5]], 'sequences[0]'],
    ['NaN', [[1, NaN]], 'sequences[0]'],
    ['a string', [['1']], 'sequences[0]'],
    ['undefined', [[1, undefined]], 'sequences[0]'],
    ['a hole', [[1, , 2]], 'sequences[0]'], // eslint-disable-line no-sparse-arrays
    ['an empty row', [[1], []], 'sequences[1]'],
    ['an empty typed array', [new Int32Array(0)], 'sequences[0]'],
    ['no rows', [], 'sequences'],
    ['a row in place of rows', [1, 2, 3], 'sequences[0]'],
    ['null', null, 'sequences'],
    ['a null row', [null], 'sequences[0]'],
    ['a text', 'text', 'sequences'],
    ['a text as a row', ['text'], 'sequences[0]'],
    ['bigints', [new BigInt64Array(3)], 'sequences[0]'],
    ['floats', [Float32Array.of(1, 2.5)], 'sequences[0]'],
    ['something that says it is long', [{ length: 2 ** 40 }], 'sequences[0]'],
  ];
  it.each(bad)('with %s are refused by logits and lossAndGradients', async (_, sequences, words) => {
    for (const method of ['logits', 'lossAndGradients'] as const) {
      const error = await errorOf(() => model[method](sequences as number[][]), 'INVALID_INPUT');
      expect(error.message).toContain(words);
    }
  });

  it('of a detached array are an empty row', async () => {
    const row = Int32Array.of(1, 2, 3);
    structuredClone(row, { transfer: [row.buffer] });
    await errorOf(() => model.logits([row]), 'INVALID_INPUT');
  });

  it('of one token each have no loss', async () => {
    await errorOf(() => model.lossAndGradients([[1], [2]]), 'INVALID_INPUT');
  });

  it('may be changed while a call runs', async () => {
    const row = Int32Array.of(1, 2, 3);
    const expected = await model.logits([[1, 2, 3]]);
    const running = model.logits([row]);
    row.fill(1000);
    structuredClone(row, { transfer: [row.buffer] });
    expect((await running).data).toEqual(expected.data);
  });
});

describe('training rows', () => {
  const row = { inputIds: [1, 2, 3], labels: [-100, 2, 3], learningStyle: 'ideas' } as const;
  const bad: [string, unknown, string][] = [
    [
      'an id that is the size of the vocabulary',
      { ...row, inputIds: [1, vocab, 3] },
      `${vocab} at position 1`,
    ],
    ['a negative id', { ...row, inputIds: [-1, 2, 3] }, '-1 at position 0'],
    ['a fractional id', { ...row, inputIds: [1.5, 2, 3] }, '1.5 at position 0'],
    ['a label outside the vocabulary', { ...row, labels: [1, 2, vocab] }, `${vocab} at position 2`],
    ['a label of -1', { ...row, labels: [1, -1, 2] }, '-1 at position 1'],
    ['a label of NaN', { ...row, labels: [1, NaN, 2] }, 'NaN at position 1'],
    ['no tokens', { ...row, inputIds: [], labels: [] }, 'at least one token'],
    ['too few labels', { ...row, labels: [1, 2] }, 'one label per token (3)'],
    ['too many labels', { ...row, labels: [1, 2, 3, 4] }, 'one label per token (3)'],
    ['no trained token', { ...row, labels: [-100, -100, -100] }, 'at least one token to train'],
    ['a label on the first token alone', { ...row, labels: [1, -100, -100] }, 'at least one token to train'],
    ['one token', { ...row, inputIds: [1], labels: [1] }, 'at least one token to train'],
    ['an unknown style', { ...row, learningStyle: 'idea' }, 'misc, ideas, attention, both'],
    ['no labels', { ...row, labels: undefined }, 'inputIds, labels'],
    ['a text', 'text', 'inputIds, labels'],
    ['null', null, 'inputIds, labels'],
  ];
  it.each(bad)('with %s are refused before the first step, the row named', async (_, wrong, words) => {
    const rows = [...good, wrong as TrainingRow];
    for (const datasets of [{ trainDataset: rows }, { trainDataset: good, evalDataset: rows }]) {
      const error = await errorOf(
        () => new AdaptiveTrainer({ model, args: plainArgs, ...datasets }).train(),
        'DATASET_INVALID',
      );
      expect(error.message).toContain(
        `row 6 of ${'evalDataset' in datasets ? 'evalDataset' : 'trainDataset'}`,
      );
      expect(error.message).toContain(words);
    }
  });

  it('that are none', async () => {
    await errorOf(() => new AdaptiveTrainer({ model, trainDataset: [], args: plainArgs }), 'DATASET_INVALID');
  });

  it('that are no list', async () => {
    for (const rows of [undefined, null, 7, 'rows', {}]) {
      await errorOf(
        () =>
          new AdaptiveTrainer({
            model,
            trainDataset: rows as unknown as TrainingRow[],
            args: { ...plainArgs, maxSteps: 1 },
          }),
        'DATASET_INVALID',
      );
    }
  });
});

describe('args', () => {
  const refused = (args: object, adaptive?: object) =>
    errorOf(
      () =>
        new AdaptiveTrainer({
          model,
          trainDataset: good,
          args: { ...plainArgs, ...args },
          ...(adaptive ? { adaptiveLoss: adaptive } : {}),
        }),
    );

  it('with an unknown key are refused, and told what was meant', async () => {
    const error = await refused({ learning_rat: 1 });
    expect(error.code).toBe('CONFIG_INVALID');
    expect(error.message).toContain('learning_rat');
    expect(error.message).toContain('learningRate');
  });

  it.each([0, -1, 2.5, NaN, Infinity, '8', null])('with topK %s are refused', async (topK) => {
    for (const error of [await refused({ topK }), await refused({}, { topK })]) {
      expect(error.code).toBe('CONFIG_INVALID');
      expect(error.message).toContain('topK');
    }
  });

  it('with a topK above the vocabulary are refused', async () => {
    const error = await refused({ topK: vocab + 1 });
    expect(error.code).toBe('INVALID_INPUT');
    expect(error.message).toContain(`(${vocab}), found ${vocab + 1}`);
  });

  it('with a topK of the whole vocabulary are fine', async () => {
    const args = { ...plainArgs, topK: vocab, learningRate: 0 };
    await new AdaptiveTrainer({ model, trainDataset: good, args }).train();
  });
});

describe('a loss that is not finite', () => {
  it('ends the run with the step named, and the weights as they were', async () => {
    const own = await CausalLM.fromPretrained(dir);
    const trainer = new AdaptiveTrainer({
      model: own,
      trainDataset: good,
      args: { ...plainArgs, learningRate: 1e30, maxGradNorm: 0, maxSteps: 50 },
    });
    const error = await errorOf(() => trainer.train(), 'LOSS_NOT_FINITE');
    expect(error.message).toMatch(/^Step \d+: /);
    expect(error.details['step']).toBeGreaterThan(1);
    own.dispose();
    const fresh = await CausalLM.fromPretrained(dir);
    expect(await lossesOf(fresh)).toEqual(firstLosses);
    fresh.dispose();
  });
});

describe('paths of the one-call API', () => {
  const modelName = new URL('../../examples/seed-lm', import.meta.url).pathname;
  const options = {
    modelName,
    outputDir: join(tempDir(), 'out'),
    datasetsConfig: { ideas: ['./nowhere.jsonl'] },
  };

  it('name the dataset that does not exist', async () => {
    const error = await errorOf(() => trainAdaptively(options), 'DATASET_NOT_FOUND');
    expect(error.message).toContain('nowhere.jsonl');
  });

  it('name the model that does not exist', async () => {
    const error = await errorOf(() => trainAdaptively({ ...options, modelName: join(dir, 'no-model') }));
    expect(error.code).toBe('MODEL_NOT_FOUND');
    expect(error.message).toContain('no-model');
  });
});

describe('adaptiveLoss', () => {
  const fine: AdaptiveLossOptions = {
    hidden: new Float32Array(2 * 3 * 4),
    weight: new Float32Array(5 * 4),
    rows: 2,
    seq: 3,
    hiddenSize: 4,
    vocabSize: 5,
    labels: [0, 1, 2, 3, 4, -100],
    topK: 2,
    styles: ['ideas', 'both'],
  };
  it('takes what is right', async () => {
    expect((await adaptiveLoss(fine)).statistics.total_tokens).toBe(3);
  });
  it.each<[string, object, string]>([
    ['topK 0', { topK: 0 }, 'topK'],
    ['topK above the vocabulary', { topK: 6 }, 'topK'],
    ['topK of a fraction', { topK: 1.5 }, 'topK'],
    ['a label outside the vocabulary', { labels: [0, 1, 5, 3, 4, 0] }, 'row 0 at position 2'],
    ['a label of -1', { labels: [0, -1, 2, 3, 4, 0] }, 'row 0 at position 1'],
    ['a fractional label', { labels: [0, 1.5, 2, 3, 4, 0] }, 'labels'],
    ['a label beyond 32 bits', { labels: [0, 2 ** 32, 2, 3, 4, 0] }, 'labels'],
    ['too few labels', { labels: [0, 1] }, 'labels'],
    ['too many hidden states', { hidden: new Float32Array(25) }, 'hidden'],
    ['hidden states in float64', { hidden: new Float64Array(24) }, 'hidden'],
    ['a weight of another shape', { weight: new Float32Array(24) }, 'weight'],
    ['no weight', { weight: undefined }, 'weight'],
    ['too few styles', { styles: ['ideas'] }, 'styles'],
    ['an unknown style', { styles: ['ideas', 'none'] }, 'styles[1]'],
    ['no rows', { rows: 0, labels: [], styles: [], hidden: new Float32Array() }, 'rows'],
    ['a fraction of a row', { rows: 1.5 }, 'rows'],
    ['a chunk of 0', { chunkTokens: 0 }, 'chunkTokens'],
    ['another type', { dtype: 'float16' }, 'dtype'],
    ['sizes that overflow', { rows: 2 ** 40, seq: 2 ** 40 }, 'hidden'],
    ['no labels', { labels: undefined }, 'labels'],
    ['no styles', { styles: undefined }, 'styles'],
    ['a state of NaN', { state: { alpha: NaN } }, 'state'],
    ['a step of a fraction', { state: { step: 0.5 } }, 'step'],
    ['demarcation ids that are fractions', { demarcationIds: [0.5] }, 'demarcationIds'],
  ])('refuses %s', async (_, change, name) => {
    const error = await errorOf(() => adaptiveLoss({ ...fine, ...change }), 'INVALID_INPUT');
    expect(error.message).toContain(name);
  });
});

describe('dispose', () => {
  it('may be called twice, and everything after it is DISPOSED', async () => {
    const own = await CausalLM.fromPretrained(dir);
    const generation = own.generate([1], { maxNewTokens: 3 });
    own.dispose();
    own.dispose();
    await errorOf(() => own.logits([[1]]), 'DISPOSED');
    await errorOf(() => own.lossAndGradients([[1, 2]]), 'DISPOSED');
    await errorOf(() => own.generate([1], { maxNewTokens: 1 }).collect(), 'DISPOSED');
    await errorOf(() => generation.collect(), 'DISPOSED');
    await errorOf(() => own.savePretrained(tempDir()), 'DISPOSED');
    await errorOf(
      () => new AdaptiveTrainer({ model: own, trainDataset: good, args: plainArgs }).train(),
      'DISPOSED',
    );
    expect(own.vocabSize).toBe(vocab);
  });

  it('while calls run lets them finish', async () => {
    const own = await CausalLM.fromPretrained(dir);
    const row = Array.from({ length: 500 }, (_, i) => i % vocab);
    const expected = (await model.logits([row])).data;
    const running = [own.logits([row]), own.logits([row]), own.lossAndGradients([row])] as const;
    own.dispose();
    expect((await running[0]).data).toEqual(expected);
    expect((await running[1]).data).toEqual(expected);
    expect((await running[2]).loss).toBeGreaterThan(0);
  });

  it('during training ends the run with DISPOSED', async () => {
    const own = await CausalLM.fromPretrained(dir);
    const trainer = new AdaptiveTrainer({
      model: own,
      trainDataset: good,
      args: plainArgs,
      callbacks: [{ onStepEnd: () => own.dispose() }],
    });
    await errorOf(() => trainer.train(), 'DISPOSED');
  });

  it('of one model leaves another of the same folder alone', async () => {
    const [a, b] = [await CausalLM.fromPretrained(dir), await CausalLM.fromPretrained(dir)];
    a.dispose();
    expect(await lossesOf(b)).toEqual(firstLosses);
    b.dispose();
  });
});

describe('one model in two trainers, one after the other', () => {
  it('goes on from where the first left its weights, with moments of its own', async () => {
    const own = await CausalLM.fromPretrained(dir);
    const options = { model: own, trainDataset: good, args: plainArgs };
    const before = await lossesOf(own);
    await new AdaptiveTrainer(options).train();
    const saved = join(tempDir(), 'between');
    await own.savePretrained(saved);
    const collect = async (trained: CausalLM) => {
      const losses: number[] = [];
      await new AdaptiveTrainer({
        ...options,
        model: trained,
        callbacks: [{ onStepEnd: ({ loss }) => void losses.push(loss) }],
      }).train();
      return losses;
    };
    const second = await collect(own);
    const reopened = await CausalLM.fromPretrained(saved);
    expect(second).toEqual(await collect(reopened));
    expect(second).not.toEqual(before);
    own.dispose();
    reopened.dispose();
  });
});

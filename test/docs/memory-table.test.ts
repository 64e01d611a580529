import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import type { Precision } from '../../src/config/schema/parsed-config.js';
import { readDecoderConfig } from '../../src/model/architecture/read-decoder-config.js';
import { describeQuantization, type Quantization } from '../../src/model/quantization/quantization.js';
import { weightsToQuantize } from '../../src/model/quantization/weights-to-quantize.js';
import { memoryEstimate, type DeviceOfRun } from '../../src/trainer/memory/memory-estimate.js';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Of SmolLM2-135M, Llama 3.2 1B and Llama 3.1 8B, as far as memory depends on it. */
const shapes = [
  { hidden: 576, wide: 1536, layers: 30, heads: 9, kvHeads: 3, vocab: 49_152, tied: true },
  { hidden: 2048, wide: 8192, layers: 16, heads: 32, kvHeads: 8, vocab: 128_256, tied: true },
  { hidden: 4096, wide: 14_336, layers: 32, heads: 32, kvHeads: 8, vocab: 128_256, tied: false },
];
type Shape = (typeof shapes)[number];

/** The columns of docs/memory.md. */
interface Setting {
  precision: Precision;
  optimizer: 'adamw_8bit' | 'adafactor';
  isLora: boolean;
  isQuantized?: boolean;
}
const settings: Setting[] = [
  { precision: 'fp32', optimizer: 'adamw_8bit', isLora: false },
  { precision: 'bf16', optimizer: 'adamw_8bit', isLora: false },
  { precision: 'bf16-true', optimizer: 'adamw_8bit', isLora: false },
  { precision: 'bf16-true', optimizer: 'adafactor', isLora: false },
  { precision: 'bf16', optimizer: 'adamw_8bit', isLora: true },
  { precision: 'fp32', optimizer: 'adamw_8bit', isLora: true },
  { precision: 'bf16', optimizer: 'adamw_8bit', isLora: true, isQuantized: true },
];

const decoderOf = (shape: Shape) =>
  readDecoderConfig(
    {
      model_type: 'llama',
      hidden_size: shape.hidden,
      intermediate_size: shape.wide,
      num_hidden_layers: shape.layers,
      num_attention_heads: shape.heads,
      num_key_value_heads: shape.kvHeads,
      vocab_size: shape.vocab,
      tie_word_embeddings: shape.tied,
    },
    'config.json',
  );

/** Input and output width of each projection of a block. */
function projections({ hidden, wide, heads, kvHeads }: Shape): [number, number][] {
  const kv = (hidden / heads) * kvHeads;
  return [
    [hidden, hidden],
    [hidden, kv],
    [hidden, kv],
    [hidden, hidden],
    [hidden, wide],
    [hidden, wide],
    [wide, hidden],
  ];
}

/** What the projections take in 4 bits. */
function inFourBits(shape: Shape): Quantization {
  const parameters = Array.from({ length: shape.layers }, (_, layer) =>
    projections(shape).map(([from, to], i) => ({ name: `${layer}.${i}_proj.weight`, shape: [to, from] })),
  ).flat();
  return describeQuantization(weightsToQuantize(parameters, {}), parameters)!;
}

function gibibytes(
  shape: Shape,
  { precision, optimizer, isLora, isQuantized = false }: Setting,
  device?: DeviceOfRun,
): number {
  const { hidden, layers, vocab, tied } = shape;
  const sizes = projections(shape);
  const block = 2 * hidden + sizes.reduce((sum, [from, to]) => sum + from * to, 0);
  const base = (tied ? 1 : 2) * vocab * hidden + layers * block + hidden;
  const adapter = layers * 16 * sizes.reduce((sum, [from, to]) => sum + from + to, 0);
  const args = { optimizer, momentum: 0, gradientCheckpointing: true, gradientAccumulationSteps: 2 };
  const estimate = memoryEstimate({
    decoder: decoderOf(shape),
    parameters: base + (isLora ? adapter : 0),
    ...(isLora ? { trainable: adapter } : {}),
    ...(isQuantized ? { quantized: inFourBits(shape) } : {}),
    ...{ precision, args, bfloat16Instructions: true, tokens: 2048, labelledTokens: 1024 },
    // What Node, the engine and a tokenizer take, on a machine with much memory.
    ...{ base: 300 * 2 ** 20, available: 256 * 2 ** 30, device },
  });
  return estimate.total / 2 ** 30;
}

const cellsOf = (line: string) => [...line.matchAll(/([\d.]+) GiB/g)].map(([, value]) => Number(value));

it('the memory that the documentation promises is what a run would compute', () => {
  const [ofCpu = '', ofGpu = ''] = readFileSync(join(root, 'docs/memory.md'), 'utf8').split('\n## On a GPU');
  const rowsOf = (text: string) =>
    text
      .split('\n')
      .filter((line) => /^\|.*GiB/.test(line))
      .map(cellsOf);
  const computed = (some: readonly Setting[], device?: DeviceOfRun) =>
    shapes.map((shape) => some.map((one) => Number(gibibytes(shape, one, device).toFixed(1))));
  expect(rowsOf(ofCpu)).toEqual(computed(settings));
  const onGpu = [0, 1, 2, 3, 4, 6].map((index) => settings[index]!);
  expect(rowsOf(ofGpu)).toEqual(computed(onGpu, { name: 'cuda:0', host: { base: 0 } }));
});

it('the README says the same', () => {
  const lines = readFileSync(join(root, 'README.md'), 'utf8').split('\n');
  const rows = lines.filter((line) => /^\|.*GiB.*GiB/.test(line)).map(cellsOf);
  const computed = shapes.map((shape) =>
    [settings[2]!, settings[4]!].map((one) => Number(gibibytes(shape, one).toFixed(1))),
  );
  expect(rows).toEqual(computed);
});

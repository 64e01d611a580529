import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { NamedWeight } from '../../src/engine/addon.js';
import { CausalLM } from '../../src/model/causal-lm.js';
import { adaptiveState } from '../../src/loss/adaptive-state.js';
import { AdaptiveTrainer } from '../../src/trainer/adaptive-trainer.js';
import { microBatch } from '../../src/trainer/batches/micro-batch.js';
import { errorOf } from '../helpers/error-of.js';
import { largestDifference, relativeToLargest } from '../helpers/differences.js';
import { numbers, readSafetensors } from '../helpers/read-safetensors.js';
import { tempDir } from '../helpers/temp-dir.js';
import { plainArgs } from '../helpers/train-run.js';
import { trainingRows } from '../helpers/training-rows.js';
import { writeSafetensors, type TensorToWrite } from '../helpers/write-safetensors.js';

const fixtures = new URL('../fixtures/extra/models/', import.meta.url).pathname;
const rows = [[5, 6, 7, 8, 40, 41, 42], [9, 3], [11]];

function tensorsOf(name: string): Record<string, TensorToWrite> {
  const read = readSafetensors(join(fixtures, name, 'model.safetensors'));
  return Object.fromEntries(
    Object.entries(read).map(([key, tensor]) => [
      key,
      { data: Float32Array.from(numbers(tensor)), shape: tensor.shape },
    ]),
  );
}

/** A folder with the configuration of a fixture and these tensors. */
function folderOf(name: string, tensors: Record<string, TensorToWrite>): string {
  const dir = tempDir();
  cpSync(join(fixtures, name, 'config.json'), join(dir, 'config.json'));
  writeSafetensors(join(dir, 'model.safetensors'), tensors);
  return dir;
}

/** What transformers 5 holds in memory of a checkpoint with experts one by one. */
function fused(tensors: Record<string, TensorToWrite>): Record<string, TensorToWrite> {
  const out: Record<string, TensorToWrite> = {};
  const experts = new Map<string, TensorToWrite[]>();
  for (const [key, tensor] of Object.entries(tensors)) {
    const match = /^(.*)\.experts\.(\d+)\.(w1|w2|w3|gate_proj|up_proj|down_proj)\.weight$/.exec(key);
    const block = (at: string) => at.replace('block_sparse_moe', 'mlp');
    if (match === null) {
      out[block(key)] = tensor;
      continue;
    }
    const [, at, number, part] = match as unknown as [string, string, string, string];
    const isDown = part === 'w2' || part === 'down_proj';
    const list = `${block(at)}.experts.${isDown ? 'down_proj' : 'gate_up_proj'}`;
    const isUp = part === 'w3' || part === 'up_proj';
    const place = isDown ? Number(number) : 2 * Number(number) + (isUp ? 1 : 0);
    if (!experts.has(list)) experts.set(list, []);
    experts.get(list)![place] = tensor;
  }
  for (const [name, list] of experts) {
    const [rowCount, width] = list[0]!.shape as [number, number];
    const each = name.endsWith('gate_up_proj') ? 2 : 1;
    const data = new Float32Array(list.length * rowCount * width);
    list.forEach((tensor, i) => data.set(tensor.data, i * rowCount * width));
    out[name] = { data, shape: [list.length / each, each * rowCount, width] };
  }
  return out;
}

async function logitsOf(dir: string): Promise<Float32Array> {
  const model = await CausalLM.fromPretrained(dir);
  const { data } = await model.logits(rows);
  model.dispose();
  return data;
}

describe('experts in a checkpoint', () => {
  it.each(['mixtral', 'qwen2moe', 'qwen3moe', 'olmoe'])(
    '%s: one by one, or all of a layer in one tensor',
    async (name) => {
      const tensors = fused(tensorsOf(name));
      expect(Object.keys(tensors).filter((key) => key.endsWith('experts.gate_up_proj'))).toHaveLength(2);
      expect(await logitsOf(folderOf(name, tensors))).toEqual(await logitsOf(join(fixtures, name)));
    },
  );

  it.each(['mixtral', 'qwen2moe', 'qwen3moe', 'olmoe', 'gptoss'])(
    '%s: saved under the names and in the shapes that transformers saves',
    async (name) => {
      const out = tempDir();
      const theirs = readSafetensors(join(fixtures, name, 'model.safetensors'));
      const source = name === 'gptoss' ? join(fixtures, name) : folderOf(name, fused(tensorsOf(name)));
      const model = await CausalLM.fromPretrained(source);
      await model.savePretrained(out);
      model.dispose();
      const ours = readSafetensors(join(out, 'model.safetensors'));
      expect(Object.keys(ours).sort()).toEqual(Object.keys(theirs).sort());
      for (const [key, { shape, data }] of Object.entries(ours)) {
        expect(shape, key).toEqual(theirs[key]!.shape);
        expect(data, key).toEqual(theirs[key]!.data);
      }
    },
  );

  it('names what is missing and what has another shape', async () => {
    const tensors = tensorsOf('mixtral');
    const missing = 'model.layers.1.block_sparse_moe.experts.2.w3.weight';
    const { [missing]: _gone, ...rest } = tensors;
    expect(await errorOf(() => CausalLM.fromPretrained(folderOf('mixtral', rest)))).toMatchObject({
      code: 'WEIGHTS_MISMATCH',
      details: { missing: [missing], misshaped: [], extra: [] },
    });
    const whole = fused(tensors);
    const name = 'model.layers.0.mlp.experts.down_proj';
    const [experts, outputs, inputs] = whole[name]!.shape as [number, number, number];
    whole[name] = { ...whole[name]!, shape: [experts, inputs, outputs] };
    expect(await errorOf(() => CausalLM.fromPretrained(folderOf('mixtral', whole)))).toMatchObject({
      code: 'WEIGHTS_MISMATCH',
      details: { extra: [name] },
    });
  });
});

const isExperts = ({ name }: NamedWeight) => /experts\.(gate_up|down)_proj$/.test(name);

describe('routing', () => {
  it.each(['mixtral', 'qwen2moe', 'qwen3moe', 'olmoe', 'gptoss'])(
    '%s: no expert but the chosen ones has a gradient, or moves',
    async (name) => {
      const model = await CausalLM.fromPretrained(join(fixtures, name));
      const { active } = model.decoder.routing!;
      // Of two tokens the first alone has a label behind it.
      const { gradients } = await model.lossAndGradients([[5, 9]]);
      for (const weight of model.parameters.filter(isExperts)) {
        const { data, shape } = gradients[weight.name]!;
        const size = data.length / shape[0]!;
        const moved = Array.from({ length: shape[0]! }, (_, e) =>
          data.subarray(e * size, (e + 1) * size).some((value) => value !== 0),
        );
        // The second token's experts get a gradient of exactly 0.
        expect(moved.filter(Boolean), weight.name).toHaveLength(active);
      }
      model.dispose();
    },
  );

  it.each(['mixtral', 'qwen2moe-some-layers', 'gptoss'])('%s: computes in bfloat16, too', async (name) => {
    const model = await CausalLM.fromPretrained(join(fixtures, name));
    const { data } = await model.logits(rows);
    await model.configure('bfloat16', true);
    const { data: half } = await model.logits(rows);
    expect(half).not.toEqual(data);
    expect(relativeToLargest(half, data)).toBeLessThan(0.1);
    const { gradients } = await model.lossAndGradients([rows[0]!]);
    for (const { data: gradient } of Object.values(gradients))
      expect(gradient.every(Number.isFinite)).toBe(true);
    model.dispose();
  });
});

describe('training experts', () => {
  const args = { ...plainArgs, learningRate: 1e-3, gradientCheckpointing: true } as const;

  async function train(outputDir: string, more: object, options: object = {}, name = 'qwen3moe') {
    const model = await CausalLM.fromPretrained(join(fixtures, name), options);
    const trainer = new AdaptiveTrainer({
      ...{ model, outputDir, trainDataset: trainingRows(24, model.vocabSize) },
      args: { ...args, ...more },
    });
    await trainer.train();
    model.dispose();
    const file = 'adapter' in options ? 'adapter_model.safetensors' : 'model.safetensors';
    return readFileSync(join(outputDir, 'final_model', file));
  }

  it.each([
    ['whole', { optimizer: 'paged_adamw_8bit' }, {}],
    ['whole, without float32 masters', { optimizer: 'adafactor', precision: 'bf16-true' }, {}],
    [
      'an adapter on attention',
      { optimizer: 'adamw' },
      { adapter: { r: 2, targetModules: ['q_proj', 'v_proj'] } },
    ],
  ])('goes on to the same bytes: %s', async (_, more, options) => {
    const [whole, parts] = [tempDir(), tempDir()];
    const steps = { ...more, saveStrategy: 'steps', saveSteps: 3 };
    const expected = await train(whole, { ...steps, maxSteps: 6 }, options);
    await train(parts, { ...steps, maxSteps: 3 }, options);
    const found = await train(parts, { ...steps, maxSteps: 6, resumeFromCheckpoint: true }, options);
    expect(found.equals(expected)).toBe(true);
  });

  it('takes experts for as many matrices with Adafactor, as transformers does', async () => {
    const model = await CausalLM.fromPretrained(join(fixtures, 'mixtral'));
    const before = model.parameters.find(isExperts)!;
    const dirs = [tempDir(), tempDir()] as const;
    await model.savePretrained(dirs[0]);
    const { gradients } = await model.lossAndGradients([rows[0]!]);
    const rate = 0.01;
    const row = rows[0]!;
    const batch = {
      ...microBatch([{ inputIds: row, labels: row, learningStyle: 'misc' }]),
      ...{ loss: 'ce' as const, confidence: 0, topK: 1, scale: 1, state: adaptiveState() },
    };
    const options = { beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0, momentum: 0, seed: 0 };
    await model.call(async (native) => {
      await native.createOptimizer({ ...options, name: 'adafactor' });
      await native.trainMicroBatch(batch);
      await native.optimizerStep({ learningRate: rate, maxGradNorm: 0, pull: 0 });
    });
    await model.savePretrained(dirs[1]);
    model.dispose();
    const [old, moved] = dirs.map((dir) => fused(tensorsFrom(join(dir, 'model.safetensors'))));
    const expected = adafactorStep(gradients[before.name]!, rate);
    const found = old![before.name]!.data.map((value, i) => value - moved![before.name]!.data[i]!);
    expect(relativeToLargest(found, expected)).toBeLessThan(1e-3);
  });

  it('pulls experts to their base, read from a checkpoint with them one by one', async () => {
    const model = await CausalLM.fromPretrained(join(fixtures, 'qwen2moe'));
    const { data } = await model.logits(rows);
    const options = {
      name: 'sgd',
      beta1: 0,
      beta2: 0,
      eps: 1e-8,
      weightDecay: 0,
      momentum: 0,
      seed: 0,
    } as const;
    await model.call((native) => native.createOptimizer(options));
    await model.call((native) => native.setBaseWeights({ files: [...model.weightFiles] }));
    const train = new AdaptiveTrainer({
      model,
      trainDataset: trainingRows(8, model.vocabSize),
      args: { ...plainArgs, optimizer: 'sgd', learningRate: 0.5 },
    });
    await train.train();
    expect(largestDifference((await model.logits(rows)).data, data)).toBeGreaterThan(1e-3);
    const files = [...model.weightFiles];
    expect(await errorOf(() => model.call((native) => native.setBaseWeights({ files })))).toMatchObject({
      code: 'WEIGHTS_MISMATCH',
    });
    model.dispose();
  });

  it('begins from scratch', async () => {
    const dir = tempDir();
    cpSync(join(fixtures, 'qwen2moe-some-layers', 'config.json'), join(dir, 'config.json'));
    const model = await CausalLM.fromConfig(dir, { seed: 3 });
    const again = await CausalLM.fromConfig(dir, { seed: 3 });
    const { data } = await model.logits(rows);
    expect((await again.logits(rows)).data).toEqual(data);
    const { loss } = await model.lossAndGradients(rows.slice(0, 2));
    expect(Math.abs(loss - Math.log(model.vocabSize))).toBeLessThan(0.2);
    model.dispose();
    again.dispose();
  });
});

function tensorsFrom(path: string): Record<string, TensorToWrite> {
  return Object.fromEntries(
    Object.entries(readSafetensors(path)).map(([name, tensor]) => [
      name,
      { data: Float32Array.from(numbers(tensor)), shape: tensor.shape },
    ]),
  );
}

/** The first step of transformers' Adafactor (relative_step and scale_parameter off) on [experts, rows, columns]. */
function adafactorStep({ data, shape }: { data: Float32Array; shape: number[] }, rate: number): Float64Array {
  const [experts, height, width] = shape as [number, number, number];
  const step = new Float64Array(data.length);
  for (let e = 0; e < experts; e++) {
    const square = (r: number, c: number) => data[(e * height + r) * width + c]! ** 2 + 1e-30;
    const row = Array.from({ length: height }, (_, r) => mean(width, (c) => square(r, c)));
    const column = Array.from({ length: width }, (_, c) => mean(height, (r) => square(r, c)));
    const all = mean(height, (r) => row[r]!);
    for (let r = 0; r < height; r++) {
      for (let c = 0; c < width; c++) {
        const i = (e * height + r) * width + c;
        step[i] = data[i]! / Math.sqrt((row[r]! / all) * column[c]!);
      }
    }
  }
  const size = Math.sqrt(mean(step.length, (i) => step[i]! ** 2));
  return step.map((value) => (value * rate) / Math.max(1, size));
}

function mean(count: number, value: (i: number) => number): number {
  let sum = 0;
  for (let i = 0; i < count; i++) sum += value(i);
  return sum / count;
}

describe('what is not available of them is refused by name', () => {
  it.each([
    [
      'mixtral',
      { output_router_logits: true },
      /output_router_logits false.*The loss that keeps routers balanced/s,
    ],
    ['mixtral', { router_jitter_noise: 0.1 }, /router_jitter_noise 0.*Noise on what routers see/s],
    ['gptoss', { quantization_config: { quant_method: 'mxfp4' } }, /Mxfp4Config\(dequantize=True\)/],
    ['gptoss', { model_type: 'qwen3_5_moe_text' }, /"qwen3_5_moe_text".*gated delta networks/s],
    [
      'gptoss',
      { model_type: 'qwen3_5', text_config: { model_type: 'qwen3_5_text' } },
      /gated delta networks/,
    ],
  ])('%s with %j', async (name, changes, message) => {
    const dir = tempDir();
    const config = JSON.parse(readFileSync(join(fixtures, name, 'config.json'), 'utf8')) as object;
    writeFileSync(join(dir, 'config.json'), JSON.stringify({ ...config, ...changes }));
    expect(await errorOf(() => CausalLM.fromPretrained(dir))).toMatchObject({
      code: 'MODEL_UNSUPPORTED',
      message: expect.stringMatching(message),
    });
  });
});

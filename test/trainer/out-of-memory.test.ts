import { execFile } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { parseTrainerConfig } from '../../src/config/read/parse-trainer-config.js';
import type { Precision } from '../../src/config/schema/parsed-config.js';
import { AdaptiveTrainerError } from '../../src/errors.js';
import { readDecoderConfig } from '../../src/model/architecture/read-decoder-config.js';
import { checkMemory } from '../../src/trainer/memory/check-memory.js';
import { memoryEstimate } from '../../src/trainer/memory/memory-estimate.js';
import { tempDir } from '../helpers/temp-dir.js';

const root = new URL('../../', import.meta.url).pathname;
const model = join(root, 'test/fixtures/end-to-end/llama');

const config = {
  model_type: 'llama',
  vocab_size: 32000,
  hidden_size: 2048,
  intermediate_size: 5632,
  num_hidden_layers: 22,
  num_attention_heads: 32,
  num_key_value_heads: 4,
  hidden_act: 'silu',
  rms_norm_eps: 1e-5,
  tie_word_embeddings: false,
};
const decoder = readDecoderConfig(config, 'config.json');
const gibibyte = 2 ** 30;
const input = (precision: Precision, args: object, available = 64 * gibibyte) => ({
  decoder,
  parameters: 1.1e9,
  tokens: 4 * 2048,
  labelledTokens: 4 * 2048,
  base: 3e8,
  held: 3e8,
  available,
  precision,
  bfloat16Instructions: true,
  args: parseTrainerConfig({ args }).args,
});

describe('memoryEstimate', () => {
  it('follows precision, optimizer and checkpointing', () => {
    const whole = memoryEstimate(input('fp32', { optimizer: 'adamw', gradientCheckpointing: false }));
    expect(whole.weights).toBe(4.4e9);
    expect(whole.gradients).toBe(4.4e9);
    expect(whole.optimizer).toBe(8.8e9);
    const least = memoryEstimate(input('bf16-true', { optimizer: 'adamw_8bit' }));
    expect(least.weights).toBe(2.2e9);
    expect(least.optimizer).toBeLessThan(2.3e9);
    expect(least.activations).toBeLessThan(whole.activations / 5);
    expect(least.total).toBeLessThan(whole.total / 2);
  });

  it('has gradients and activations take turns where a window is one micro-batch', () => {
    const { total: inTurns, ...parts } = memoryEstimate(input('fp32', { gradientAccumulationSteps: 1 }));
    const sum = Object.values(parts).reduce((all, part) => all + part, 0);
    expect(memoryEstimate(input('fp32', { gradientAccumulationSteps: 2 }))).toEqual({ ...parts, total: sum });
    // Not those of the head, which are made while logits and activations are there.
    const ofHead = 4 * config.vocab_size * config.hidden_size;
    expect(sum - inTurns).toBeLessThanOrEqual(parts.gradients - ofHead);
    expect(sum - inTurns).toBeGreaterThan(0.9 * parts.lossChunk);
  });

  it('counts the float32 pieces of products that a CPU without bfloat16 instructions takes', () => {
    const native = input('bf16-true', {});
    const widened = memoryEstimate({ ...native, bfloat16Instructions: false });
    expect(widened.lossChunk).toBeGreaterThan(memoryEstimate(native).lossChunk);
    expect(widened.activations).toBeGreaterThan(memoryEstimate(native).activations);
    const exact = input('fp32', {});
    expect(memoryEstimate({ ...exact, bfloat16Instructions: false })).toEqual(memoryEstimate(exact));
  });
});

describe('checkMemory', () => {
  it('lets pass what fits', () => {
    expect(checkMemory(input('bf16', {})).total).toBeLessThan(64 * gibibyte);
  });

  it('refuses what does not, with three settings that help', () => {
    const tight = input('fp32', { optimizer: 'adamw', gradientCheckpointing: false }, 12 * gibibyte);
    let error: unknown;
    try {
      checkMemory(tight);
    } catch (caught) {
      error = caught;
    }
    expect(AdaptiveTrainerError.isInstance(error, 'OUT_OF_MEMORY')).toBe(true);
    const { message, details } = error as AdaptiveTrainerError;
    expect(details['settings']).toHaveLength(3);
    expect(message).toMatch(
      /Expected a run that fits into .*weights 4\.10 GiB, gradients 4\.10 GiB, optimizer/,
    );
  });
});

// A process of its own, whose address space is limited: the allocator is refused memory for real.
const script = `
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { CausalLM } from ${JSON.stringify(join(root, 'src/index.ts'))};
const model = await CausalLM.fromPretrained(${JSON.stringify(model)});
const row = Array.from({ length: 2048 }, (_, i) => 3 + (i % 20));
const before = (await model.lossAndGradients([row.slice(0, 9)])).loss;
// From here on at most 2 GiB more of address space. (Node and its loader reserve far more than that when they start.)
const size = Number(/^VmSize:\\s+(\\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))[1]) * 1024;
execFileSync('prlimit', ['--pid', String(process.pid), '--as=' + (size + 2 ** 31)]);
// 33 million tokens: the embedding alone would be 6 GiB.
const failed = await model.lossAndGradients(Array(16384).fill(row)).then(() => 'nothing', (error) => error.code);
const after = (await model.lossAndGradients([row.slice(0, 9)])).loss;
console.log(JSON.stringify({ failed, same: before === after }));
process.exit(0);
`;

it.runIf(existsSync('/usr/bin/prlimit'))(
  'an allocation that fails is an OUT_OF_MEMORY, and the model can be used afterwards',
  async () => {
    const file = join(tempDir(), 'oom.mts');
    writeFileSync(file, script);
    const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', file], { cwd: root });
    expect(JSON.parse(stdout)).toEqual({ failed: 'OUT_OF_MEMORY', same: true });
  },
);

// The limit comes after the estimate, which would refuse the run before its first step.
const training = `
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { AdaptiveTrainer, CausalLM } from ${JSON.stringify(join(root, 'src/index.ts'))};
const model = await CausalLM.fromPretrained(${JSON.stringify(model)});
const row = (length) => {
  const inputIds = Array.from({ length }, (_, i) => 3 + (i % 20));
  return { inputIds, labels: inputIds, learningStyle: 'misc' };
};
const train = async (rows, callback) => {
  const losses = [];
  const trainer = new AdaptiveTrainer({
    model,
    trainDataset: rows,
    callbacks: [{ ...callback, onStepEnd: ({ loss }) => void losses.push(loss) }],
    args: { outputDir: process.argv[2], batchSize: rows.length, gradientAccumulationSteps: 1, numEpochs: 1, warmupSteps: 0, saveStrategy: 'no' },
  });
  const error = await trainer.train().then(() => undefined, (error) => error);
  return { losses, error };
};
const limit = () => {
  const size = Number(/^VmSize:\\s+(\\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))[1]) * 1024;
  execFileSync('prlimit', ['--pid', String(process.pid), '--as=' + (size + 2 ** 27)]);
};
const { error } = await train(Array(256).fill(row(2048)), { onStart: limit });
const after = await train([row(9), row(9)], {});
console.log(JSON.stringify({
  code: error?.code, message: error?.message, step: error?.details.step, settings: error?.details.settings,
  after: after.error?.message ?? after.losses.every(Number.isFinite), steps: after.losses.length,
}));
process.exit(0);
`;

it.runIf(existsSync('/usr/bin/prlimit'))(
  'a step that is refused memory names itself and what helps, and the process trains again',
  async () => {
    const dir = tempDir();
    const file = join(dir, 'oom.mts');
    writeFileSync(file, training);
    const args = ['--import', 'tsx', file, join(dir, 'out')];
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root });
    const result = JSON.parse(stdout.trim().split('\n').at(-1)!) as Record<string, unknown>;
    expect(result).toMatchObject({ code: 'OUT_OF_MEMORY', step: 1, after: true, steps: 1 });
    expect(result['message']).toMatch(/^Step 1, whose largest micro-batch has 524288 tokens/);
    expect(result['settings']).toContain('batchSize: 128 with gradientAccumulationSteps: 2');
  },
  120_000,
);

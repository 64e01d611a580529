import { describe, expect, it } from 'vitest';
import { parseTrainerConfig } from '../../src/config/read/parse-trainer-config.js';
import type { Precision } from '../../src/config/schema/parsed-config.js';
import { AdaptiveTrainerError } from '../../src/errors.js';
import { readDecoderConfig } from '../../src/model/architecture/read-decoder-config.js';
import { checkMemory, plannedMemory } from '../../src/trainer/memory/check-memory.js';
import { attentionBytes, contextBytes, workspaceBytes } from '../../src/trainer/memory/device-peak.js';
import { memoryAdvice } from '../../src/trainer/memory/memory-advice.js';
import { memoryEstimate } from '../../src/trainer/memory/memory-estimate.js';
import { leastMemory, type PlannedRun } from '../../src/trainer/memory/planned-run.js';
import { memoryOfRun } from '../../src/trainer/memory/report-memory.js';
import { runPrecision } from '../../src/trainer/step/run-precision.js';

const gibibyte = 2 ** 30;
const config = {
  ...{ model_type: 'llama', vocab_size: 32000, hidden_size: 2048, intermediate_size: 5632 },
  ...{ num_hidden_layers: 22, num_attention_heads: 32, num_key_value_heads: 4, tie_word_embeddings: false },
};
const decoder = readDecoderConfig(config, 'config.json');
const vocabulary = config.vocab_size;

function run(precision: Precision, args: object, more: Partial<PlannedRun> = {}): PlannedRun {
  return {
    ...{ decoder, parameters: 1.1e9, tokens: 8192, labelledTokens: 8192, rows: 4, base: 3e8, held: 0 },
    ...{ precision, bfloat16Instructions: false, available: 80 * gibibyte },
    args: parseTrainerConfig({ args: { optimizer: 'adamw', gradientAccumulationSteps: 1, ...args } }).args,
    device: { name: 'cuda:0', total: 80 * gibibyte, host: { base: 1e9, available: 16 * gibibyte } },
    ...more,
  };
}

function errorOf(work: () => unknown): AdaptiveTrainerError {
  try {
    work();
  } catch (error) {
    if (AdaptiveTrainerError.isInstance(error, 'OUT_OF_MEMORY')) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('the estimate of a device', () => {
  it('counts what libtorch takes, and nothing of the process or of what a CPU lacks', () => {
    const mixed = memoryEstimate(run('bf16', {}));
    expect(mixed.base).toBe(contextBytes + workspaceBytes);
    expect(mixed.weights).toBe(6 * 1.1e9 - 2 * vocabulary * 2048);
    expect(memoryEstimate(run('bf16', {}, { base: 9e9, bfloat16Instructions: true }))).toEqual(mixed);
  });

  it('has float32 logits in an eighth of what activations leave, and at most 3 GiB', () => {
    const of = (available: number, labelledTokens = 8192) =>
      memoryEstimate(run('bf16', { gradientCheckpointing: true }, { available, labelledTokens })).lossChunk;
    expect(of(80 * gibibyte)).toBe(6 * 8192 * vocabulary);
    expect(of(80 * gibibyte, 80_000)).toBe(3 * gibibyte);
    const { activations } = memoryEstimate(run('bf16', { gradientCheckpointing: true }));
    expect(of(6 * gibibyte)).toBeLessThan((6 * gibibyte) / 8);
    expect(of(6 * gibibyte)).toBeGreaterThan((6 * gibibyte - activations) / 8);
  });

  it('keeps numerators where there is room, which are not part of the least', () => {
    const whole = plannedMemory(run('bf16', { gradientCheckpointing: true }));
    expect(whole.numerators).toBe(2 * 8192 * vocabulary);
    // Where all are kept, none are made again.
    expect(whole.lossChunk).toBe(4 * 8192 * vocabulary);
    expect(leastMemory(run('bf16', {})).numerators).toBeUndefined();
    for (const args of [{ labelSmoothingFactor: 0.1 }, {}])
      expect(plannedMemory(run('fp32', args)).numerators).toBeUndefined();
    expect(plannedMemory(run('bf16', { labelSmoothingFactor: 0.1 })).numerators).toBeUndefined();
    const vast = readDecoderConfig({ ...config, vocab_size: 250_000 }, 'config.json');
    const least = leastMemory(run('bf16', {}, { decoder: vast })).total;
    const tight = plannedMemory(run('bf16', {}, { decoder: vast, available: least + 0.3 * gibibyte }));
    expect(tight.numerators).toBeGreaterThan(0);
    expect(tight.numerators).toBeLessThan(2 * 8192 * 250_000);
    expect(tight.total).toBeLessThanOrEqual(least + 0.3 * gibibyte);
  });

  it('is the most of what takes turns, not the sum', () => {
    const { total, ...parts } = memoryEstimate(run('bf16', {}));
    const sum = Object.values(parts).reduce((all, part) => all + part, 0);
    const several = memoryEstimate(run('bf16', { gradientAccumulationSteps: 2 }));
    expect(total).toBeLessThan(several.total);
    expect(several.total).toBeLessThanOrEqual(sum);
    expect(total).toBeGreaterThanOrEqual(parts.weights + parts.optimizer + parts.base + parts.gradients);
  });

  it('splits the sums of flash attention by rows and heads, and has none for other attention', () => {
    const tokens = 4096;
    const of = (changed: object, rows: number, size: number) =>
      attentionBytes(readDecoderConfig({ ...config, ...changed }, 'config.json'), tokens, rows, size);
    const operands = 2 * tokens * (32 + 8) * 64 + 2 * 2 * tokens * 2048;
    expect(of({}, 1, 2)).toBe(operands + 4 * 5 * (tokens + 128) * 2048);
    expect(of({}, 8, 2)).toBe(operands + 4 * (tokens + 8 * 128) * 2048);
    expect(of({ head_dim: 12 }, 1, 2)).toBe(0);
    expect(of({ head_dim: 6 }, 1, 4)).toBe(0);
    expect(of({}, 1, 4)).toBeGreaterThan(0);
  });
});

describe('a run on a device', () => {
  it('is refused by what the device has, whatever main memory there is, and names what helps there', () => {
    const tight = run('bf16', { optimizer: 'adamw' }, { available: 9 * gibibyte });
    const { message, details } = errorOf(() => checkMemory(tight));
    expect(message).toMatch(/fits into 9\.00 GiB of the memory of cuda:0, found one of about/);
    expect(message).toContain('It has 80.00 GiB in all: what else uses it can be closed.');
    expect(details.settings).toHaveLength(3);
    expect(details.available).toBe(9 * gibibyte);
    const names = memoryAdvice(tight, 9 * gibibyte).map(({ name }) => name);
    expect(names).toContain('optimizer: "paged_adamw_8bit"');
    expect(names).not.toContain('optimizer: "adamw_8bit"');
    const small = { ...tight, device: { name: 'cuda:0', total: 9 * gibibyte, host: { base: 1e9 } } };
    expect(errorOf(() => checkMemory(small)).message).not.toContain('in all');
    expect(checkMemory(run('bf16', {})).capacity).toBe(80 * gibibyte);
  });

  it('has the states of a paged optimizer in main memory as far as there is no room', () => {
    const available = 14 * gibibyte;
    const paged = run('bf16', { optimizer: 'paged_adamw' }, { available });
    const { host, optimizer, total } = checkMemory(paged);
    expect(host!.pagedStates).toBeGreaterThan(0);
    expect(host!.total).toBe(host!.base + host!.pagedStates);
    expect(optimizer).toBeLessThan(8 * 1.1e9);
    expect(optimizer + host!.pagedStates).toBeGreaterThanOrEqual(8 * 1.1e9);
    expect(total).toBeLessThanOrEqual(available);
    expect(errorOf(() => checkMemory(run('bf16', { optimizer: 'adamw' }, { available }))).code).toBe(
      'OUT_OF_MEMORY',
    );
    const device = { ...paged.device!, host: { base: 1e9, available: 1e9 } };
    expect(errorOf(() => checkMemory({ ...paged, device })).message).toMatch(
      /^Expected .* of main memory for states of the optimizer/,
    );
    expect(checkMemory(run('bf16', { optimizer: 'paged_adamw' })).host!.pagedStates).toBe(0);
  });

  it('of unknown memory is told the least', () => {
    const { host } = run('bf16', {}).device!;
    const unknown = run('bf16', {}, { available: Infinity, device: { name: 'cuda', host } });
    const { total, keptBlocks, numerators, capacity } = plannedMemory(unknown);
    expect([keptBlocks, numerators, capacity]).toEqual([undefined, undefined, undefined]);
    expect(total).toBe(leastMemory(unknown).total);
    expect(Number.isFinite(total)).toBe(true);
  });

  it('finds the bytes of the device, and beside them its part of main memory', () => {
    const main = { weights: 5, gradients: 0, optimizer: 7, pagedOptimizer: 0, available: 100, reusable: 3 };
    const place = memoryOfRun(
      { ...main, device: { available: 40, total: 90, held: 30, peak: 50 } },
      'cuda:1',
      4,
    );
    expect(place).toMatchObject({ available: 40, held: contextBytes + workspaceBytes + 12 });
    expect(place.device).toMatchObject({ name: 'cuda:1', total: 90, host: { available: 25 } });
    const { available, device } = memoryOfRun(main, 'cpu', 4);
    expect([available, device]).toEqual([25, undefined]);
  });

  it('computes in what the flags say, whatever the CPU has', () => {
    const of = (args: object) => runPrecision(parseTrainerConfig({ args }).args, 'cuda:0');
    expect([of({}), of({ fp16: true }), of({ bf16: true }), of({ fp16: false })]).toEqual([
      'fp16',
      'fp16',
      'bf16',
      'fp32',
    ]);
    expect(of({ precision: 'bf16-true' })).toBe('bf16-true');
  });
});

// What is estimated of a device's memory is what trainings on it take.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { MemoryReport } from '../../src/events/memory-report.js';
import { runChild } from '../helpers/run-child.js';
import { tempDir } from '../helpers/temp-dir.js';
import { tinyConfig, writeTinyModel } from '../helpers/tiny-model.js';
import { buildTimeout, canBuild, guardedDevice } from './guarded-device.js';
import type { MemoryRun } from './memory.child.js';

const timeout = 300_000;
const mebibyte = 2 ** 20;
const program = new URL('memory.child.ts', import.meta.url);

/** Heads of 12 entries, or of 6: attention that a GPU has no kernel of libtorch for, as this device. */
const shape = { hidden_size: 96, intermediate_size: 256, num_hidden_layers: 4, num_key_value_heads: 4 };
const halves = { ...shape, num_attention_heads: 8, vocab_size: 600 };
const floats = { ...halves, num_attention_heads: 16 };
const large = { ...halves, vocab_size: 6000, hidden_size: 48, num_attention_heads: 4 };
const wide = { ...halves, hidden_size: 384, intermediate_size: 1024, num_attention_heads: 32 };

interface Told {
  estimate: MemoryReport;
  device: { available: number; total: number; held: number; peak: number };
  weights: number;
  optimizer: number;
  pagedOptimizer: number;
}

function written(config: object): string {
  const dir = tempDir();
  writeFileSync(join(dir, 'config.json'), JSON.stringify({ ...tinyConfig, ...config }));
  return dir;
}

/** Of which the first steps overflow. */
const float16 = { precision: 'fp16', fp16: true, gradientCheckpointing: true, numEpochs: 4 };
const lora = { r: 8, targetModules: 'all-linear' };
const adapted = { adapter: lora, dtype: 'bfloat16' } as const;

describe.runIf(canBuild)('the memory of a device', () => {
  let environment: (bytes?: number) => NodeJS.ProcessEnv;
  beforeAll(() => void (environment = guardedDevice()), buildTimeout);

  const trained = async <T>(run: MemoryRun, bytes?: number): Promise<T> => {
    const { stdout, stderr } = await runChild(program, [JSON.stringify(run)], environment(bytes));
    expect(stderr).toBe('');
    return JSON.parse(stdout) as T;
  };

  test.each<[string, object, object, number, MemoryRun['pretrained']?]>([
    ['float32', floats, {}, 48],
    ['float32, all blocks recomputed', floats, { gradientCheckpointing: true }, 48],
    ['float32, gradients of several micro-batches', floats, { gradientAccumulationSteps: 2 }, 24],
    ['bfloat16 beside float32 masters', halves, { precision: 'bf16', optimizer: 'adamw_8bit' }, 48],
    ['float16, all blocks recomputed', halves, float16, 48],
    ['bfloat16 alone, with Lion', halves, { precision: 'bf16-true', optimizer: 'lion' }, 48],
    ['a large vocabulary', large, { precision: 'bf16', optimizer: 'sgd', gradientCheckpointing: true }, 24],
    ['a large vocabulary in float32', large, { optimizer: 'sgd', gradientCheckpointing: true }, 24],
    ['label smoothing', large, { precision: 'bf16', labelSmoothingFactor: 0.1 }, 24],
    ['more weights than activations', wide, { precision: 'bf16', optimizer: 'adafactor' }, 8],
    [
      'more weights than activations, bfloat16 alone',
      wide,
      { precision: 'bf16-true', optimizer: 'adamw' },
      8,
    ],
    ['an adapter', wide, { precision: 'bf16' }, 32, adapted],
    ['an adapter on 4 bits', wide, { precision: 'bf16' }, 32, { ...adapted, quantization: { type: 'nf4' } }],
    ['frozen layers', wide, { freeze: ['model.embed_tokens', 'model.layers.[0-2]'] }, 16],
  ])(
    '%s: the estimate is what steps take, but for 15 percent',
    { timeout },
    async (_, config, args, length, pretrained) => {
      const dir = pretrained === undefined ? written(config) : writeTinyModel(tempDir(), config);
      const { estimate, device, weights, optimizer } = await trained<Told>({
        ...{ dir, length, args },
        ...(pretrained === undefined ? {} : { pretrained }),
      });
      expect(estimate.weights / weights).toBeCloseTo(1, 1);
      if (optimizer > 0) expect(Math.abs(estimate.optimizer - optimizer) / device.peak).toBeLessThan(0.05);
      const ratio = (estimate.total - estimate.base) / device.peak;
      expect(ratio).toBeGreaterThan(0.85);
      expect(ratio).toBeLessThan(1.15);
    },
  );

  test(
    'blocks are kept as far as the device has room, and the run stays within it',
    { timeout },
    async () => {
      const run = {
        dir: written(halves),
        length: 256,
        args: { precision: 'bf16', gradientCheckpointing: 'auto' },
      };
      const { estimate: whole, device: used } = await trained<Told>(run);
      expect(whole.keptBlocks).toEqual({ kept: 4, all: 4 });
      expect([whole.available + used.held > used.peak, whole.capacity]).toEqual([true, used.total]);
      // Less than all of them take.
      const bytes = Math.floor(0.9 * used.peak);
      const { estimate, device, message } = await trained<Told & { message?: string }>(run, bytes);
      expect(message).toBeUndefined();
      expect(estimate.capacity).toBe(bytes);
      expect(estimate.keptBlocks!.kept).toBeLessThan(4);
      expect(device.peak).toBeLessThan(bytes);
    },
  );

  test('states of a paged optimizer are in main memory where there is no room', { timeout }, async () => {
    const args = { precision: 'bf16', optimizer: 'paged_adamw', gradientCheckpointing: true };
    const run = { dir: written(wide), length: 8, args };
    expect((await trained<Told>(run)).estimate.host).toMatchObject({ pagedStates: 0 });
    // Of which 256 MiB are spared.
    const bytes = 330 * mebibyte;
    const { estimate, device, pagedOptimizer } = await trained<Told>(run, bytes);
    expect(pagedOptimizer).toBeGreaterThan(0);
    expect(estimate.host!.pagedStates).toBeGreaterThan(0);
    expect(estimate.host!.total).toBe(estimate.host!.base + estimate.host!.pagedStates);
    expect(device.peak).toBeLessThan(bytes);
  });

  test('a run that does not fit is refused before its first step, with what would', { timeout }, async () => {
    const run = { dir: written(wide), length: 8, args: { precision: 'bf16', optimizer: 'adamw' } };
    const { device, weights } = await trained<Told>(run);
    const { code, message, details } = await trained<{
      code: string;
      message: string;
      details: { available: number; settings: string[]; step?: number };
    }>(run, (device.peak + weights) / 2);
    expect(code).toBe('OUT_OF_MEMORY');
    expect(message).toMatch(/^Expected a run that fits into .* of the memory of cuda:0, found one of about/);
    expect(details.available).toBeLessThan((device.peak + weights) / 2);
    expect(details.settings).toHaveLength(3);
    expect(details.step).toBeUndefined();
  });
});

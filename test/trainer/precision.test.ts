import { beforeAll, describe, expect, it } from 'vitest';
import { relativeToLargest } from '../helpers/differences.js';
import { tempDir } from '../helpers/temp-dir.js';
import { tinyConfig, writeTinyModel } from '../helpers/tiny-model.js';
import { gradNorms, losses, trainRun } from '../helpers/train-run.js';
import { trainingRows } from '../helpers/training-rows.js';

let dir: string;
beforeAll(() => {
  dir = writeTinyModel(tempDir(), { hidden_size: 32, num_attention_heads: 4, num_key_value_heads: 2 });
});
const trainDataset = trainingRows(24, tinyConfig.vocab_size);
const run = (args: object) => trainRun(dir, { trainDataset, args: { numEpochs: 2, ...args } });

describe('how a run computes', () => {
  it.each(['fp32', 'bf16'])('gradient checkpointing changes nothing, bit for bit (%s)', async (precision) => {
    const plain = await run({ precision, gradientCheckpointing: false });
    const checkpointed = await run({ precision, gradientCheckpointing: true });
    expect(losses(checkpointed)).toEqual(losses(plain));
    expect(gradNorms(checkpointed)).toEqual(gradNorms(plain));
  });

  it('a run repeats itself, bit for bit', async () => {
    const args = { optimizer: 'adamw_8bit', precision: 'bf16', shuffle: true, seed: 3 };
    const [first, second] = [await run(args), await run(args)];
    expect(losses(second)).toEqual(losses(first));
    expect(gradNorms(second)).toEqual(gradNorms(first));
  });

  it('bfloat16 follows float32 loosely, and is not the same', async () => {
    const args = { loss: 'ce', learningRate: 3e-3 };
    const [exact, rounded] = [await run(args), await run({ ...args, precision: 'bf16' })];
    expect(relativeToLargest(losses(rounded), losses(exact))).toBeLessThan(0.02);
    expect(relativeToLargest(gradNorms(rounded), gradNorms(exact))).toBeLessThan(0.1);
    expect(losses(rounded)).not.toEqual(losses(exact));
  });

  it('adamw_8bit and paged_adamw_8bit are one, and follow adamw', async () => {
    const args = { loss: 'ce', learningRate: 3e-3 };
    const [whole, eight, paged] = [
      await run(args),
      await run({ ...args, optimizer: 'adamw_8bit' }),
      await run({ ...args, optimizer: 'paged_adamw_8bit' }),
    ];
    expect(losses(paged)).toEqual(losses(eight));
    expect(relativeToLargest(losses(eight), losses(whole))).toBeLessThan(0.002);
  });

  it('clipping bounds the step and not the reported norm', async () => {
    const free = await run({ maxGradNorm: 0 });
    const bounded = await run({ maxGradNorm: 1e-3 });
    expect(gradNorms(bounded)[0]).toBe(gradNorms(free)[0]);
    expect(gradNorms(free)[0]).toBeGreaterThan(0.1);
    expect(losses(bounded)[3]).not.toBe(losses(free)[3]);
  });
});

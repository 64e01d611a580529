import { expect, it } from 'vitest';
import { parseTrainerConfig } from '../../src/config/read/parse-trainer-config.js';
import { CausalLM } from '../../src/model/causal-lm.js';
import { memoryEstimate } from '../../src/trainer/memory/memory-estimate.js';
import { pagingRequest, statePlaces } from '../../src/trainer/memory/paged-states.js';
import { runMemory } from '../../src/trainer/memory/report-memory.js';
import { optimizerRequest } from '../../src/trainer/step/optimizer-request.js';
import { tempDir } from '../helpers/temp-dir.js';
import { tinyConfig, writeTinyModel } from '../helpers/tiny-model.js';

const MiB = 2 ** 20;

it('states stay on the device where they fit, and leave with room for two pieces where they do not', () => {
  const sizes = { states: 2000 * MiB, values: 1000 * MiB, gradients: 4000 * MiB, restOfStep: 500 * MiB };
  // A sixteenth of what is free is spared.
  expect(statePlaces({ ...sizes, free: 8000 * MiB })).toEqual({ held: 2000 * MiB, paged: 0 });
  expect(statePlaces({ ...sizes, free: 6400 * MiB })).toEqual({ held: 1500 * MiB, paged: (500 + 16) * MiB });
  expect(statePlaces({ ...sizes, free: 4000 * MiB })).toEqual({ held: 16 * MiB, paged: 2000 * MiB });
  expect(statePlaces({ ...sizes, states: 0, values: 0, free: 0 })).toEqual({ held: 0, paged: 0 });
});

it('the engine is told what a step needs with all blocks recomputed, and for streams nothing', async () => {
  const model = await CausalLM.fromPretrained(writeTinyModel(tempDir()));
  const largest = { tokens: 4096, labelledTokens: 2048 };
  const requestFor = async (optimizer: 'paged_adamw_8bit' | 'paged_lion_32bit' | 'adamw_8bit' | 'sgd') => {
    const { args } = parseTrainerConfig({ args: { optimizer, gradientCheckpointing: 'auto' } });
    return { args, run: await runMemory(model, args, 'fp32', { size: 1 }) };
  };
  for (const optimizer of ['adamw_8bit', 'sgd'] as const)
    expect(pagingRequest((await requestFor(optimizer)).run, largest)).toEqual({});
  const { args, run } = await requestFor('paged_adamw_8bit');
  expect(pagingRequest(run, undefined)).toEqual({ paged: {} });
  const { activations, lossChunk } = memoryEstimate({ ...run, ...largest, base: 0, available: 2 ** 40 });
  const { paged } = pagingRequest(run, largest);
  expect(paged).toEqual({ restOfStep: Math.ceil(activations + lossChunk) });
  // On a CPU there is one memory.
  const states = await model.native.createOptimizer({
    ...optimizerRequest(args),
    paged: { ...paged!, atMost: 0 },
  });
  const { optimizer, pagedOptimizer } = await model.native.memory();
  expect(states).toEqual({ held: optimizer, paged: 0, unpinned: 0 });
  expect(optimizer).toBeGreaterThan(tinyConfig.vocab_size * tinyConfig.hidden_size * 2);
  expect(pagedOptimizer).toBe(0);
  const { args: sgd } = parseTrainerConfig({ args: { optimizer: 'sgd' } });
  await expect(model.native.createOptimizer({ ...optimizerRequest(sgd), paged: {} })).rejects.toMatchObject({
    code: 'INVALID_INPUT',
  });
  model.dispose();
});

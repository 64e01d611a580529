import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import type { AdaptiveTrainerOptions } from '../../src/trainer/adaptive-trainer-options.js';
import { tempDir } from '../helpers/temp-dir.js';
import { tinyConfig, writeTinyModel } from '../helpers/tiny-model.js';
import { trainRun } from '../helpers/train-run.js';
import { trainingRows } from '../helpers/training-rows.js';

type Optimizer = NonNullable<NonNullable<AdaptiveTrainerOptions['args']>['optimizer']>;

let dir: string;
beforeAll(() => {
  dir = writeTinyModel(tempDir());
});

async function weights(optimizer: Optimizer): Promise<Buffer> {
  const outputDir = tempDir();
  const trainDataset = trainingRows(12, tinyConfig.vocab_size);
  await trainRun(dir, { trainDataset, outputDir, args: { optimizer } });
  return readFileSync(join(outputDir, 'final_model', 'model.safetensors'));
}

it.each([
  ['adamw', ['adamw_torch', 'adamw_torch_fused', 'paged_adamw', 'paged_adamw_32bit']],
  ['adamw_8bit', ['paged_adamw_8bit', 'adamw_bnb_8bit']],
] as const)('%s has other names, which train to the same bits', async (name, others) => {
  const expected = await weights(name);
  for (const other of others) expect((await weights(other)).equals(expected), other).toBe(true);
});

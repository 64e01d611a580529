import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { tempDir } from '../helpers/temp-dir.js';
import { writeTinyModel } from '../helpers/tiny-model.js';
import { seedDir } from '../tokenizer/open-tokenizer.js';
import { startRanks, type StartOptions } from './run-ranks.js';

const program = new URL('tokenizing.child.ts', import.meta.url);

/**
 * Trains on more rows than are tokenized without the cache.
 * @param machineOf which machine a rank is on: each has a cache of its own
 * @returns how often each rank began to tokenize
 */
export async function tokenizedBy(
  size: number,
  options: StartOptions,
  machineOf: (rank: number) => number,
): Promise<number[]> {
  const folder = tempDir();
  const modelName = writeTinyModel(join(folder, 'model'), { vocab_size: 4096 });
  for (const name of ['tokenizer.json', 'tokenizer_config.json', 'chat_template.jinja'])
    copyFileSync(join(seedDir, name), join(modelName, name));
  const rows = Array.from({ length: 2100 }, (_, i) => ({ question: `${i} plus 1?`, answer: `${i + 1}.` }));
  writeFileSync(join(folder, 'sums.jsonl'), rows.map((row) => JSON.stringify(row)).join('\n'));
  const cacheOf = (rank: number) => join(folder, `cache-${machineOf(rank)}`);
  for (let rank = 0; rank < size; rank++) mkdirSync(cacheOf(rank), { recursive: true });
  const config = {
    modelName,
    outputDir: join(folder, 'out'),
    datasetsConfig: { ideas: [join(folder, 'sums.jsonl')] },
    trainingConfig: {
      ...{ maxSteps: 2, batchSize: 2, evalStrategy: 'no', saveStrategy: 'no', fp16: false, ddpTimeout: 60 },
      ...{ retention: false, threads: 1 },
    },
  };
  const ranks = await startRanks(program, size, () => [JSON.stringify(config)], {
    ...options,
    env: (rank) => ({ ...options.env?.(rank), ADAPTIVE_TRAINER_CACHE: cacheOf(rank), HF_TOKEN: '' }),
  });
  const results = await Promise.all(ranks.map(({ result }) => result));
  return results.map(({ status, stdout, stderr }) => {
    expect(status, stderr).toBe(0);
    return (JSON.parse(stdout) as { pools: number }).pools;
  });
}

import { copyFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import type { TrainAdaptivelyOptions } from '../../src/config/schema/train-adaptively-options.js';
import { writeTinyModel } from '../helpers/tiny-model.js';
import { seedDir } from '../tokenizer/open-tokenizer.js';

export const sums = (from: number, count: number) =>
  Array.from({ length: count }, (_, i) => ({ question: `${from + i} plus 1?`, answer: `${from + i + 1}.` }));

const words = ['one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten'];
const afterWords = words.map((word) => ({ question: `What comes after ${word}?`, answer: `Not ${word}.` }));

/** A model with random weights and the example tokenizer, written once in a folder. */
export function sumsModel(folder: string, seed = 1): string {
  const dir = join(folder, `model-${seed}`);
  if (existsSync(dir)) return dir;
  writeTinyModel(dir, { vocab_size: 4096 }, seed);
  for (const name of ['tokenizer.json', 'tokenizer_config.json', 'chat_template.jinja'])
    copyFileSync(join(seedDir, name), join(dir, name));
  return dir;
}

/** A short run on two datasets that evaluates before the first step and after the last. */
export function sumsOptions(
  folder: string,
  training: object = {},
  more: object = {},
): TrainAdaptivelyOptions {
  return {
    modelName: sumsModel(folder),
    outputDir: join(folder, 'out'),
    datasetsConfig: {
      ideas: [{ name: 'sums', train: sums(0, 24), eval: sums(50, 9) }],
      attention: [{ name: 'words', train: afterWords, eval: afterWords.slice(0, 6) }],
    },
    trainingConfig: {
      ...{ maxSteps: 20, batchSize: 4, gradientAccumulationSteps: 1, learningRate: 3e-2, warmupSteps: 0 },
      ...{ fp16: false, saveStrategy: 'no', evalStrategy: 'steps', evalSteps: 20, evalOnStart: true },
      evalForgetting: false,
      ...training,
    },
    adaptiveLossConfig: { topK: 3 },
    ...more,
  } as TrainAdaptivelyOptions;
}

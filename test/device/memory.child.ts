// Trains some steps on a device, and prints what was estimated of its memory, and the most that it took.
import type { MemoryReport } from '../../src/events/memory-report.js';
import type { AdaptiveTrainerError } from '../../src/errors.js';
import { CausalLM } from '../../src/model/causal-lm.js';
import type { FromPretrainedOptions } from '../../src/model/from-pretrained-options.js';
import { AdaptiveTrainer } from '../../src/trainer/adaptive-trainer.js';
import { plainArgs } from '../helpers/train-run.js';

export interface MemoryRun {
  dir: string;
  /** As for fromPretrained(). Default: weights are drawn. */
  pretrained?: FromPretrainedOptions;
  /** Tokens of a row. */
  length: number;
  args: object;
}

const run = JSON.parse(process.argv[2]!) as MemoryRun;
const { dir, pretrained, length, args } = run;
const model = await (pretrained === undefined
  ? CausalLM.fromConfig(dir, { device: 'cuda' })
  : CausalLM.fromPretrained(dir, { ...pretrained, device: 'cuda' }));
const whole = { ...plainArgs, ...args };
const count = 2 * whole.batchSize * whole.gradientAccumulationSteps;
const trainDataset = Array.from({ length: count }, (_, row) => {
  const inputIds = Array.from({ length }, (_, i) => 3 + ((row * 7919 + i * 31) % (model.vocabSize - 3)));
  return { inputIds, labels: inputIds, learningStyle: 'both' as const };
});
let estimate: MemoryReport | undefined;
const trainer = new AdaptiveTrainer({
  ...{ model, trainDataset, args: whole },
  callbacks: [{ onStart: ({ memory }) => void (estimate = memory) }],
});
try {
  const end = await trainer.train();
  const { device, weights, optimizer, pagedOptimizer } = await model.call((native) => native.memory());
  console.log(JSON.stringify({ estimate, device, weights, optimizer, pagedOptimizer, end }));
} catch (error) {
  const { code, message, details } = error as AdaptiveTrainerError;
  console.log(JSON.stringify({ code, message, details }));
}
model.dispose();

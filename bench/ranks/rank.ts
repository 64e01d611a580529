// One rank of the benchmark: prints the seconds of its steps and its tokens as JSON.
import { CausalLM } from '../../src/model/causal-lm.js';
import { AdaptiveTrainer } from '../../src/trainer/adaptive-trainer.js';
import type { MicroBatchPlace } from '../../src/trainer/step/take-step.js';
import type { TrainingRow } from '../../src/events/training-row.js';

const [dir, mode, steps, window] = process.argv.slice(2) as [
  string,
  'overlapped' | 'afterwards',
  string,
  string,
];

/** Sums gradients after the backward pass, not during it. */
class Afterwards extends AdaptiveTrainer {
  protected override trainMicroBatch(rows: TrainingRow[], place: MicroBatchPlace) {
    return super.trainMicroBatch(rows, { ...place, isLast: false });
  }
}

const model = await CausalLM.fromConfig(dir, { seed: 1 });
const inputIds = (row: number) =>
  Array.from({ length: 256 }, (_, i) => (row * 7919 + i * 104729) % model.vocabSize);
const trainDataset = Array.from({ length: 256 }, (_, row) => {
  const ids = inputIds(row);
  return { inputIds: ids, labels: ids, learningStyle: 'ideas' as const };
});
const seconds: number[] = [];
let tokens = 0;
const Trainer = mode === 'afterwards' ? Afterwards : AdaptiveTrainer;
const trainer = new Trainer({
  model,
  trainDataset,
  args: {
    ...{ batchSize: 2, gradientAccumulationSteps: Number(window), maxSteps: Number(steps), warmupSteps: 0 },
    ...{ learningRate: 1e-4, fp16: false, threads: 1, gradientCheckpointing: false },
    ...{ evalStrategy: 'no', saveStrategy: 'no' },
  },
  callbacks: [
    {
      onStepEnd(step) {
        seconds.push(step.secondsPerStep);
        tokens = step.tokens;
      },
    },
  ],
});
await trainer.train();
// The first step makes room, and compiles.
console.log(JSON.stringify({ seconds: seconds.slice(1), tokens, parameters: model.parameterCount }));
model.dispose();

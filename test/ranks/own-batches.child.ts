// Trains as one rank on batches of its own making, and prints what it found as JSON.
import type { AdaptiveTrainerError } from '../../src/errors.js';
import type { TrainingRow } from '../../src/events/training-row.js';
import { CausalLM } from '../../src/model/causal-lm.js';
import { AdaptiveTrainer } from '../../src/trainer/adaptive-trainer.js';
import { plainArgs } from '../helpers/train-run.js';
import { trainingRows } from '../helpers/training-rows.js';

export interface OwnBatchesRun {
  dir: string;
  /** What is of another order, or content, at rank 1. */
  other?: 'order' | 'content' | 'end';
  streamed?: boolean;
}

const { dir, other, streamed } = JSON.parse(process.argv[2]!) as OwnBatchesRun;
const isOther = process.env['RANK'] === '1' ? other : undefined;

const model = await CausalLM.fromPretrained(dir, {});
const rows = trainingRows(30, model.vocabSize, 3, 24);
if (isOther === 'order') rows.splice(8, 2, rows[9]!, rows[8]!);
if (isOther === 'content') rows[8] = { ...rows[8]!, inputIds: rows[8]!.inputIds.map((id) => (id + 1) % 60) };
if (isOther === 'end') rows.splice(8);

class OwnBatches extends AdaptiveTrainer {
  /** Of 1, 2, 3, 4, 5 … rows: with fewer than there are ranks, and with as many as do not divide. */
  protected override *trainBatches(): Generator<TrainingRow[]> {
    for (let [at, size] = [0, 1]; at < rows.length; at += size++) yield rows.slice(at, at + size);
  }
}

const stream = {
  [Symbol.asyncIterator]: async function* () {
    yield* rows;
  },
};
const Trainer = streamed ? AdaptiveTrainer : OwnBatches;
const steps: object[] = [];
const trainer = new Trainer({
  model,
  trainDataset: streamed ? stream : trainingRows(30, model.vocabSize, 3, 24),
  args: {
    ...plainArgs,
    ...{
      batchSize: 6 / Number(process.env['WORLD_SIZE'] ?? 1),
      numEpochs: 2,
      gradientAccumulationSteps: 1,
      learningRate: 1e-3,
      ddpTimeout: 30,
    },
    ...{ maxSteps: 8, shuffle: false },
  },
  callbacks: [
    {
      onStepEnd: ({ loss, gradNorm, tokens, labelledTokens }) =>
        void steps.push({ loss, gradNorm, tokens, labelledTokens }),
    },
  ],
});
try {
  await trainer.train();
  console.log(JSON.stringify({ steps, digest: await model.call((native) => native.weightsDigest()) }));
} catch (error) {
  const { code, message, details } = error as AdaptiveTrainerError;
  console.log(JSON.stringify({ code, message, details, steps }));
}
model.dispose();

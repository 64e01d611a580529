// Asks a device for more memory than it has, where it is told to, and then trains with what there is.
import type { AdaptiveTrainerError } from '../../src/errors.js';
import { CausalLM } from '../../src/model/causal-lm.js';
import { AdaptiveTrainer } from '../../src/trainer/adaptive-trainer.js';
import { trainingRows } from '../helpers/training-rows.js';
import { plainArgs } from '../helpers/train-run.js';

const [dir, fails] = process.argv.slice(2) as [string, string?];
const model = await CausalLM.fromPretrained(dir, { device: 'cuda' });
const long = Array.from({ length: 512 }, (_, row) =>
  Array.from({ length: 40 }, (_, i) => (7 * i + row) % 60),
);
const longRows = long.map((inputIds) => ({ inputIds, labels: inputIds, learningStyle: 'both' as const }));
const rows = trainingRows(24, model.vocabSize, 3, 24);
const errors: object[] = [];
const losses: number[] = [];

async function expectRefusal(what: string, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const { code, message, details } = error as AdaptiveTrainerError;
    errors.push({ what, code, message, details });
  }
}

/** Rows that no estimate is made of. */
const streamed = {
  [Symbol.asyncIterator]: async function* () {
    yield* longRows;
  },
};
const trainer = (trainDataset: typeof rows | typeof longRows | typeof streamed, batchSize: number) =>
  new AdaptiveTrainer({
    ...{ model, trainDataset, evalDataset: longRows },
    args: {
      ...{ ...plainArgs, batchSize, evalBatchSize: 512 },
      ...(trainDataset === streamed ? { maxSteps: 1 } : {}),
    },
    callbacks: [{ onStepEnd: ({ loss }) => void losses.push(loss) }],
  });

if (fails !== undefined) {
  await expectRefusal('train', () => trainer(streamed, 512).train());
  await expectRefusal('plan', () => trainer(longRows, 512).train());
  await expectRefusal('generate', () => model.generateBatch(long, { maxNewTokens: 2 }).collect());
  await expectRefusal('evaluate', () => trainer(rows, 12).evaluate());
  await expectRefusal('logits', () => model.logits(long));
}
await trainer(rows, 12).train();
console.log(JSON.stringify({ errors, losses }));
model.dispose();

// Trains a tiny model for 2,000 steps, evaluating and saving on the way, and prints the resident memory every 100 steps.
// `node --expose-gc --import tsx flat-memory.child.ts <model> <outputDir>`
import { AdaptiveTrainer } from '../../src/trainer/adaptive-trainer.js';
import { CausalLM } from '../../src/model/causal-lm.js';
import { trainingRows } from '../helpers/training-rows.js';

const [dir, outputDir] = process.argv.slice(2) as [string, string];
const model = await CausalLM.fromPretrained(dir);
const rows = trainingRows(64, model.vocabSize, 1, 60);
const trainer = new AdaptiveTrainer({
  model,
  trainDataset: rows,
  evalDataset: rows.slice(0, 8),
  outputDir,
  args: {
    batchSize: 4,
    gradientAccumulationSteps: 1,
    maxSteps: 2000,
    precision: 'bf16',
    evalSteps: 200,
    saveSteps: 250,
    saveTotalLimit: 1,
  },
  callbacks: [
    {
      onStepEnd({ step }) {
        if (step % 100 !== 0) return;
        // What JavaScript has not yet collected is no leak.
        globalThis.gc?.();
        process.stdout.write(`${process.memoryUsage.rss()}\n`);
      },
    },
  ],
});
await trainer.train();
model.dispose();

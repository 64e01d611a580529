// One run, or what is left of it: `tsx resume-child.ts <outputDir> <losses.jsonl>`. Prints a line per step; may be killed at
// any moment and started again.
import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AdaptiveTrainer } from '../../src/trainer/adaptive-trainer.js';
import type { TrainingRow } from '../../src/events/training-row.js';
import { CausalLM } from '../../src/model/causal-lm.js';
import { JsonlTracker } from '../../src/trackers/jsonl-tracker.js';

const [outputDir, lossesFile] = process.argv.slice(2) as [string, string];
const dir = new URL('../fixtures/end-to-end/llama', import.meta.url).pathname;
const { rows } = JSON.parse(readFileSync(join(dir, 'expected.json'), 'utf8')) as { rows: TrainingRow[] };
const model = await CausalLM.fromPretrained(dir);
const trainer = new AdaptiveTrainer({
  model,
  trainDataset: rows,
  evalDataset: rows.slice(0, 4),
  outputDir,
  args: {
    batchSize: 2,
    gradientAccumulationSteps: 3,
    numEpochs: 12,
    learningRate: 1e-3,
    warmupSteps: 5,
    optimizer: 'adamw_8bit',
    bf16: true,
    saveSteps: 3,
    saveTotalLimit: 2,
    evalSteps: 10,
    loggingSteps: 4,
    resumeFromCheckpoint: true,
  },
  trackers: [new JsonlTracker(outputDir)],
  callbacks: [
    {
      onStepEnd({ step, loss, gradNorm, alpha, beta }) {
        appendFileSync(lossesFile, `${JSON.stringify({ step, loss, gradNorm, alpha, beta })}\n`);
        process.stdout.write('step\n');
      },
    },
  ],
});
await trainer.train();

// One run that goes on until it is killed: `tsx output-dir-child.ts <outputDir>`. Prints a line per step, or the code of the
// error that it ends with.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AdaptiveTrainerError } from '../../src/errors.js';
import type { TrainingRow } from '../../src/events/training-row.js';
import { CausalLM } from '../../src/model/causal-lm.js';
import { AdaptiveTrainer } from '../../src/trainer/adaptive-trainer.js';

const outputDir = process.argv[2]!;
const dir = new URL('../fixtures/end-to-end/llama', import.meta.url).pathname;
const { rows } = JSON.parse(readFileSync(join(dir, 'expected.json'), 'utf8')) as { rows: TrainingRow[] };
const trainer = new AdaptiveTrainer({
  model: await CausalLM.fromPretrained(dir),
  trainDataset: rows,
  outputDir,
  args: {
    maxSteps: 1_000_000,
    bf16: false,
    fp16: false,
    saveSteps: 5,
    saveTotalLimit: 2,
    evalStrategy: 'no',
  },
  callbacks: [{ onStepEnd: ({ step }) => void process.stdout.write(`step ${step}\n`) }],
});
try {
  await trainer.train();
} catch (error) {
  if (!AdaptiveTrainerError.isInstance(error)) throw error;
  process.stdout.write(`${error.code}\n${error.message}\n`);
}

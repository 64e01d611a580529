// One run, or what is left of it: `tsx resume-child.ts <outputDir> <losses.jsonl> [steps] [moment]`. Kills itself the hard way so
// many steps after it began: after this share of another step, or, with "a save", once it writes a checkpoint. A parent's signal
// would come late on a machine that is busy.
import { appendFileSync, existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { AdaptiveTrainer } from '../../src/trainer/adaptive-trainer.js';
import type { TrainingRow } from '../../src/events/training-row.js';
import { CausalLM } from '../../src/model/causal-lm.js';
import { JsonlTracker } from '../../src/trackers/jsonl-tracker.js';

const [outputDir, lossesFile, stepsToKill, moment] = process.argv.slice(2) as [
  string,
  string,
  string?,
  string?,
];

const die = () => void process.kill(process.pid, 'SIGKILL');
function dieInASave(): void {
  if (existsSync(outputDir) && readdirSync(outputDir).some((name) => name.endsWith('.tmp'))) die();
  else setImmediate(dieInASave);
}

let [taken, began] = [0, 0];
function afterStep(): void {
  const took = performance.now() - began;
  began = performance.now();
  if (++taken !== Number(stepsToKill)) return;
  if (moment === 'a save') dieInASave();
  else setTimeout(die, Number(moment) * took);
}

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
    numEpochs: 16,
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
      onStart: () => void (began = performance.now()),
      onStepEnd({ step, loss, gradNorm, alpha, beta }) {
        appendFileSync(lossesFile, `${JSON.stringify({ step, loss, gradNorm, alpha, beta })}\n`);
        afterStep();
      },
    },
  ],
});
await trainer.train();

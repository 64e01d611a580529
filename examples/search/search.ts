// search.ts <model> <rows.jsonl> <folder>: tries settings one after the other and keeps what each came to. Stop it whenever
// you like: the next call passes over what is done, and goes on with the trial that was under way from its last checkpoint.
import { appendFile, mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { trainAdaptively, type TrainingEvent } from 'adaptive-trainer';

interface Trial {
  topK: number;
  learningRate: number;
  retention: 'auto' | false;
}

const space = { topK: [1, 8], learningRate: [1e-3, 1e-4], retention: [false, 'auto'] as const };
const trials = space.topK.flatMap((topK) =>
  space.learningRate.flatMap((learningRate) =>
    space.retention.map((retention): Trial => ({ topK, learningRate, retention })),
  ),
);

const [modelName = './model', rows = './rows.jsonl', folder = './search'] = process.argv.slice(2);
const results = join(folder, 'results.jsonl');
await mkdir(folder, { recursive: true });
const done = new Map<string, number>();
for (const line of (await readFile(results, 'utf8').catch(() => '')).split('\n').filter(Boolean)) {
  const { name, loss } = JSON.parse(line) as { name: string; loss: number };
  done.set(name, loss);
}

for (const trial of trials) {
  const name = `topK-${trial.topK}-rate-${trial.learningRate}-retention-${trial.retention}`;
  if (done.has(name)) continue;
  const loss = await train(trial, join(folder, name));
  // Only a trial that came to its end gets a line.
  await appendFile(results, `${JSON.stringify({ name, ...trial, loss })}\n`);
  done.set(name, loss);
  console.log(`${name}: ${loss.toFixed(4)}`);
}
const [best] = [...done].sort(([, one], [, other]) => one - other);
console.log(`best: ${best?.[0]} (${best?.[1].toFixed(4)})`);

/** The loss on held-out rows at the end. The model is not kept: the best settings are trained again, on everything. */
async function train({ topK, learningRate, retention }: Trial, outputDir: string): Promise<number> {
  await trainAdaptively(
    {
      modelName,
      outputDir,
      datasetsConfig: { attention: [rows] },
      trainingConfig: {
        ...{ learningRate, retention, numEpochs: 1, batchSize: 4, gradientAccumulationSteps: 1 },
        // Every trial is measured with the same loss on the same rows, whatever it is trained with.
        ...{ evalStrategy: 'epoch', saveSteps: 100, saveTotalLimit: 1, resumeFromCheckpoint: true },
      },
      adaptiveLossConfig: { topK },
    },
    { progress: false },
  );
  // Read from the file, where it also is when an earlier call evaluated and was then stopped.
  const lines = (await readFile(join(outputDir, 'metrics.jsonl'), 'utf8')).trim().split('\n');
  const events = lines.map((line) => JSON.parse(line) as TrainingEvent);
  const last = events.findLast((event) => event.type === 'evaluate');
  if (last === undefined)
    throw new Error(`Expected ${rows} to have enough rows to hold some out for evaluation.`);
  await rm(outputDir, { recursive: true });
  return last.loss;
}

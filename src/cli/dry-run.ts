import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseConfig } from '../config/read/parse-config.js';
import type { ParsedConfig } from '../config/schema/parsed-config.js';
import { findSource } from '../trainer/checkpoint/find-source.js';
import { checkMemory } from '../trainer/memory/check-memory.js';
import { tryOutputDir } from '../trainer/output-dir/check-output-dir.js';
import { outputDirNote } from '../trainer/output-dir/output-dir-note.js';
import { usedOutputDir } from '../trainer/output-dir/used-output-dir.js';
import { dataPrinter } from '../trackers/terminal/data-printer.js';
import { untilInterrupted } from './abort-on-signals.js';
import { fact, planFacts, planReport } from './plan/plan-text.js';
import { planTraining } from './plan/training-plan.js';
import { withFlags, type TrainOptions } from './train.js';

/** Does what a run does before its first step, and prints what it would do then. */
export async function dryRun(input: unknown, options: TrainOptions): Promise<void> {
  const config = parseConfig(withFlags(input, options));
  const onWarning = (message: string) => console.error(`warning ${message}`);
  for (const { message } of config.warnings) onWarning(message);
  await refuseUsedOutput(config);
  const data = dataPrinter();
  const plan = await untilInterrupted((signal) =>
    planTraining(config, {
      onWarning,
      onProgress: data.onProgress,
      signal,
      download: true,
      deviceMemory: options.deviceMemory,
    }),
  ).finally(data.clear);
  checkMemory(plan.memoryInput);
  const { outputDir, trainingConfig, huggingfaceRepo } = config;
  const note = await outputDirNote(outputDir, trainingConfig);
  const { saveStrategy, saveSteps } = trainingConfig;
  const checkpoints =
    saveStrategy === 'no' ? [] : [checkpointText(saveStrategy, saveSteps, plan.run.totalSteps)];
  const written = [
    join(outputDir, 'metrics.jsonl'),
    ...checkpoints.map((text) => join(outputDir, text)),
    join(outputDir, 'final_model'),
    join(outputDir, 'report.html'),
  ];
  if (options.json) {
    const told = { datasets: plan.data.report, written };
    console.log(JSON.stringify({ ...planReport(plan), ...told }, null, 2));
    return;
  }
  const lines = [
    ...planFacts(config, plan),
    fact('writes', written.join('\n')),
    ...(note === undefined ? [] : [fact('', note)]),
    ...(huggingfaceRepo ? [fact('uploads', `to ${huggingfaceRepo}`)] : []),
  ];
  console.log(`${lines.join('\n')}\nNothing was written, and nothing trained.`);
}

async function refuseUsedOutput({ outputDir, trainingConfig }: ParsedConfig): Promise<void> {
  const { overwriteOutputDir, resumeFromCheckpoint } = trainingConfig;
  await tryOutputDir(outputDir);
  if (!existsSync(outputDir) || overwriteOutputDir || resumeFromCheckpoint) return;
  const found = await findSource(outputDir, false, async () => {});
  if (found.inTheWay.length > 0) throw usedOutputDir(outputDir, found);
}

function checkpointText(strategy: string, every: number, total: number): string {
  if (strategy !== 'steps') return `checkpoint-<step> (${strategy})`;
  return every > total
    ? `checkpoint-<step> (every ${every} steps: none in ${total})`
    : `checkpoint-<step> (every ${every} steps)`;
}

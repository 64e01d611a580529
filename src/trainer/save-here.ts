import { join } from 'node:path';
import { AdaptiveTrainerError } from '../errors.js';
import { gatheredFile } from './output-dir/output-contents.js';
import type { RunHost } from './run-host.js';
import type { RunParts } from './run-parts.js';

/** Writes a checkpoint of the step that the run is at. All ranks call it; rank 0 writes, and returns its folder. */
export function saveHere(host: RunHost, parts: RunParts): Promise<string | undefined> {
  return whileGathered(host, parts, () => writeHere(host, parts));
}

/** The same where all ranks have gathered already. */
export async function writeHere(host: RunHost, parts: RunParts): Promise<string | undefined> {
  parts.savedStep = parts.run.progress.step;
  return host.ranks.isFirst ? host.saveCheckpoint() : undefined;
}

/** With `zeroStage`, lends rank 0 what the other ranks hold for as long as it may write. All ranks call it. */
export async function whileGathered<Result>(
  { ranks, model, args, options }: RunHost,
  { checkpoints }: RunParts,
  work: () => Promise<Result>,
): Promise<Result> {
  if (ranks.size === 1 || args.zeroStage === 0) return work();
  const outputDir = ranks.isFirst ? options.outputDir : undefined;
  await checkpoints.checkLock();
  const [writes] = await ranks.sum([outputDir === undefined ? 0 : 1]);
  if (writes === 0) return work();
  const path = outputDir === undefined ? '' : join(outputDir, gatheredFile);
  const optimizer = !args.saveOnlyModel;
  try {
    await model.call((native) => native.gatherAtFirst({ path, masters: true, optimizer }));
  } catch (error) {
    // The checkpoint fails with it: the other ranks have done their part.
    if (!AdaptiveTrainerError.isInstance(error, 'IO_FAILED')) throw error;
    checkpoints.obstacle = error;
  }
  try {
    return await work();
  } finally {
    checkpoints.obstacle = undefined;
    await model.call((native) => native.returnGathered());
  }
}

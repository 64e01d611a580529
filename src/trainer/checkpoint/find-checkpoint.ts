import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { AdaptiveTrainerError } from '../../errors.js';
import { verifyCheckpoint } from './checkpoint-files.js';

/** The steps of the checkpoints in a run's folder, oldest first. */
export async function checkpointSteps(outputDir: string): Promise<number[]> {
  const names = await readdir(outputDir).catch(() => []);
  return names
    .map((name) => /^checkpoint-(\d+)$/.exec(name)?.[1])
    .filter((step): step is string => step !== undefined)
    .map(Number)
    .sort((a, b) => a - b);
}

/**
 * The newest whole checkpoint of a run's folder; damaged ones are passed over and told of. undefined where there is none.
 * @throws AdaptiveTrainerError CHECKPOINT_INVALID when there are checkpoints and every one of them is damaged
 */
export async function findCheckpoint(
  outputDir: string,
  onDamaged: (error: AdaptiveTrainerError) => Promise<void>,
): Promise<string | undefined> {
  let damaged: AdaptiveTrainerError | undefined;
  for (const step of (await checkpointSteps(outputDir)).reverse()) {
    const path = join(outputDir, `checkpoint-${step}`);
    try {
      await verifyCheckpoint(path);
      return path;
    } catch (error) {
      if (!AdaptiveTrainerError.isInstance(error, 'CHECKPOINT_INVALID')) throw error;
      damaged = error;
      await onDamaged(error);
    }
  }
  if (damaged !== undefined) throw damaged;
  return undefined;
}

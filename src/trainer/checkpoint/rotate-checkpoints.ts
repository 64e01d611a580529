import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { checkpointSteps } from './find-checkpoint.js';

/** Deletes the oldest checkpoints so that at most `limit` are left (null: all), sparing that of step `best`. */
export async function rotateCheckpoints(
  outputDir: string,
  limit: number | null,
  best: number | undefined,
): Promise<void> {
  if (limit === null) return;
  const steps = await checkpointSteps(outputDir);
  const surplus = Math.max(0, steps.length - limit);
  // The newest is what a resumed run needs, so it stays even where the limit is one and another was best.
  const deletable = steps.slice(0, -1).filter((step) => step !== best);
  for (const step of deletable.slice(0, surplus)) {
    await rm(join(outputDir, `checkpoint-${step}`), { recursive: true, force: true });
  }
}

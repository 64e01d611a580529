import { rm } from 'node:fs/promises';
import { storedCheckpoints } from '../output-dir/output-contents.js';
import type { CheckpointOrigin } from './checkpoint-files.js';

/**
 * Deletes a run's oldest checkpoints so that at most `limit` are left (null: all), sparing that of step `best`. Those of
 * other runs are neither counted nor touched.
 * @param newest what was just written: a resumed run needs it, so it stays even where the limit is one and another was best
 */
export async function rotateCheckpoints(
  outputDir: string,
  limit: number | null,
  newest: CheckpointOrigin,
  best: number | undefined,
): Promise<void> {
  if (limit === null) return;
  const stored = await storedCheckpoints(outputDir);
  const own = stored.filter(({ runId, step }) => runId === newest.runId && step <= newest.step);
  const surplus = Math.max(0, own.length - limit);
  const deletable = own.filter(({ step }) => step !== newest.step && step !== best);
  for (const { path } of deletable.slice(0, surplus)) await rm(path, { recursive: true, force: true });
}

/** Deletes all checkpoints of a run but one. */
export async function keepOnly(outputDir: string, { runId, step }: CheckpointOrigin): Promise<void> {
  for (const stored of await storedCheckpoints(outputDir)) {
    const isOther = stored.runId === runId && stored.step !== step;
    if (isOther) await rm(stored.path, { recursive: true, force: true });
  }
}

import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** Deletes the oldest `checkpoint-<step>` folders so that at most `limit` are left; null keeps all. */
export async function rotateCheckpoints(outputDir: string, limit: number | null): Promise<void> {
  if (limit === null) return;
  const steps = (await readdir(outputDir))
    .map((name) => /^checkpoint-(\d+)$/.exec(name)?.[1])
    .filter((step): step is string => step !== undefined)
    .map(Number)
    .sort((a, b) => a - b);
  for (const step of steps.slice(0, Math.max(0, steps.length - limit))) {
    await rm(join(outputDir, `checkpoint-${step}`), { recursive: true, force: true });
  }
}

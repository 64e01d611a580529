import { existsSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isTemporary } from '../../common/write-durably.js';
import { readManifest } from '../checkpoint/checkpoint-files.js';

/** What other ranks hold, while rank 0 writes a checkpoint of it (`zeroStage`). */
export const gatheredFile = 'gathered.tmp';

/** A folder `checkpoint-<step>`. */
export interface StoredCheckpoint {
  step: number;
  path: string;
  /** The run that wrote it; undefined where its list of files cannot be read, or is older than run ids. */
  runId: string | undefined;
  /** When, ISO 8601. */
  savedAt: string | undefined;
  /** False for a folder that something else made under such a name. */
  isOurs: boolean;
}

/** The checkpoints in a run's folder, by step. */
export async function storedCheckpoints(outputDir: string): Promise<StoredCheckpoint[]> {
  const names = await readdir(outputDir).catch(() => []);
  const steps = names
    .map((name) => /^checkpoint-(\d+)$/.exec(name)?.[1])
    .filter((step) => step !== undefined);
  const found = await Promise.all(
    steps.map(async (step) => {
      const path = join(outputDir, `checkpoint-${step}`);
      const manifest = await readManifest(path).catch(() => undefined);
      const isOurs = manifest !== undefined || existsSync(join(path, 'run_state.json'));
      return { step: Number(step), path, runId: manifest?.runId, savedAt: manifest?.savedAt, isOurs };
    }),
  );
  return found.sort((a, b) => a.step - b.step);
}

/** Whether a finished model lies in a run's folder. */
export async function hasFinalModel(outputDir: string): Promise<boolean> {
  const names = await readdir(join(outputDir, 'final_model')).catch(() => []);
  return names.some((name) => !isTemporary(name));
}

/** Deletes what killed processes left half written. For the holder of the folder's lock alone. */
export async function removeLeftovers(outputDir: string): Promise<void> {
  const remove = async (dir: string, isLeft: (name: string) => boolean) => {
    for (const name of (await readdir(dir).catch(() => [])).filter(isLeft))
      await rm(join(dir, name), { recursive: true, force: true });
  };
  const isCheckpoint = (name: string) => /^checkpoint-\d+(\.old)?\.tmp$/.test(name);
  await remove(outputDir, (name) => isCheckpoint(name) || name === gatheredFile || isTemporary(name));
  await remove(join(outputDir, 'final_model'), isTemporary);
}

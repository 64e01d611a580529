import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { tryFolder } from '../../common/mkdirs.js';
import { ioError } from '../../common/write-durably.js';
import type { TrainingConfig } from '../../config/schema/parsed-config.js';
import { findSource } from '../checkpoint/find-source.js';
import { lockOutputDir } from './lock-output-dir.js';
import { usedOutputDir } from './used-output-dir.js';

type Settings = Pick<TrainingConfig, 'runName' | 'resumeFromCheckpoint' | 'overwriteOutputDir'>;

/**
 * Finds out, before hours of downloading and tokenizing, what the trainer would only say after them.
 * @throws AdaptiveTrainerError OUTPUT_DIR_BUSY, OUTPUT_DIR_USED, IO_FAILED
 */
export async function checkOutputDir(outputDir: string, settings: Settings): Promise<void> {
  await tryOutputDir(outputDir);
  if (!existsSync(outputDir)) return;
  const lock = await lockOutputDir(outputDir, settings.runName);
  await lock.release();
  // Whether a checkpoint can be gone on from takes reading all of it.
  if (settings.overwriteOutputDir || settings.resumeFromCheckpoint) return;
  const source = await findSource(outputDir, false, async () => {});
  if (source.inTheWay.length > 0) throw usedOutputDir(outputDir, source);
}

/**
 * Tries whether a run could write into its folder, which may have to be made, and put its model there. Leaves nothing.
 * @throws AdaptiveTrainerError IO_FAILED
 */
export async function tryOutputDir(outputDir: string): Promise<void> {
  for (const folder of [outputDir, join(outputDir, 'final_model')])
    await tryFolder(folder).catch((cause: unknown) => {
      throw ioError(folder, cause);
    });
}

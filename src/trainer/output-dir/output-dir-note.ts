import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { TrainingConfig } from '../../config/schema/parsed-config.js';
import { findSource } from '../checkpoint/find-source.js';
import { overwritingMessage, usedOutputDir } from './used-output-dir.js';

/**
 * What an output folder holds of earlier runs, and what a run with these settings will do about it; undefined for a folder
 * without any. Writes nothing, and does not read the checkpoints through.
 */
export async function outputDirNote(
  outputDir: string,
  settings: Pick<TrainingConfig, 'resumeFromCheckpoint' | 'overwriteOutputDir'>,
): Promise<string | undefined> {
  const { resumeFromCheckpoint: from, overwriteOutputDir } = settings;
  const source = existsSync(outputDir)
    ? await findSource(outputDir, false, async () => {})
    : { inTheWay: [], resumable: undefined, checkpoint: undefined, isSameRun: false };
  const checkpoint = typeof from === 'string' ? resolve(from) : source.resumable;
  if (from && checkpoint !== undefined) return `a run goes on from ${checkpoint}, if that is whole`;
  if (from && source.inTheWay.length === 0)
    return `there is no checkpoint in ${outputDir} to go on from; a run begins at step 0`;
  if (source.inTheWay.length === 0) return undefined;
  if (overwriteOutputDir) return overwritingMessage(outputDir, source.inTheWay);
  return `a run will be refused as things are: ${usedOutputDir(outputDir, source).message}`;
}

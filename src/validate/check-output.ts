import { existsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { cacheDir } from '../common/cache-dir.js';
import type { ConfigFault } from '../common/config-fault.js';
import { errorText } from '../common/error-text.js';
import { tryFolder } from '../common/mkdirs.js';
import type { AdaptiveLossConfig, TrainingConfig } from '../config/schema/parsed-config.js';
import { AdaptiveTrainerError } from '../errors.js';
import { trackerFolders } from '../trackers/open-trackers.js';
import { tryOutputDir } from '../trainer/output-dir/check-output-dir.js';
import { outputDirNote } from '../trainer/output-dir/output-dir-note.js';
import { tryStatesFolder } from '../trainer/retention/states-folder.js';

/** What to check. */
export interface CheckOutput {
  outputDir: string;
  /** Undefined where it has faults of its own. */
  trainingConfig: TrainingConfig | undefined;
  /** Undefined where it has faults of its own. */
  adaptiveLossConfig: AdaptiveLossConfig | undefined;
  env: NodeJS.ProcessEnv;
  /** A key as the configuration spells it. */
  spell: (name: string) => string;
  onNote: (note: string) => void;
}

/**
 * Tries whether what a run writes could be written, and leaves nothing: the output folder and the model in it, what is kept of
 * the base, trackers and the report. What a run does without is noted; what it holds of earlier runs, too.
 */
export async function checkOutput(check: CheckOutput): Promise<ConfigFault[]> {
  const { outputDir, trainingConfig, adaptiveLossConfig, spell, onNote } = check;
  const faults: ConfigFault[] = [];
  const refuse = (path: string, message: string) => void faults.push({ path, code: 'INVALID', message });
  const unwritable = await reasonOf(tryOutputDir(outputDir));
  if (unwritable !== undefined)
    refuse(
      spell('outputDir'),
      `expected a folder to write to, or one that can be made, received ${JSON.stringify(outputDir)}, but ${unwritable}`,
    );
  if (trainingConfig === undefined) return faults;
  const from = trainingConfig.resumeFromCheckpoint;
  if (typeof from === 'string' && !existsSync(from))
    refuse(
      `${spell('trainingConfig')}.${spell('resumeFromCheckpoint')}`,
      `expected the folder of a checkpoint, received ${JSON.stringify(from)}, but there is no ${resolve(from)}`,
    );
  else if (unwritable === undefined) {
    const note = await outputDirNote(outputDir, trainingConfig);
    if (note !== undefined) onNote(`${spell('outputDir')}: ${note}`);
  }
  if (adaptiveLossConfig !== undefined) {
    const noStates = await reasonOf(tryStatesFolder(trainingConfig, adaptiveLossConfig));
    if (noStates !== undefined)
      refuse(
        'ADAPTIVE_TRAINER_CACHE',
        `expected a folder to write to, for what is kept of the base model, but ${noStates}`,
      );
    else await noteCache(onNote);
  }
  faults.push(...(await checkTrackers(check, trainingConfig, unwritable !== undefined)));
  return faults;
}

/** A run does without its cache of tokens, and without measuring what it forgets where that was not asked for. */
async function noteCache(onNote: (note: string) => void): Promise<void> {
  const reason = await reasonOf(tryFolder(cacheDir()));
  if (reason !== undefined)
    onNote(
      `the cache of adaptive-trainer cannot be written: ${reason}. Each run makes its tokens anew, and forgetting is not measured. ` +
        `Set ADAPTIVE_TRAINER_CACHE to a folder for it.`,
    );
}

/** Trackers and the report never end a run: what they cannot write is noted. */
async function checkTrackers(
  { outputDir, env, onNote }: CheckOutput,
  trainingConfig: TrainingConfig,
  isRefused: boolean,
): Promise<ConfigFault[]> {
  let folders: ReturnType<typeof trackerFolders>;
  try {
    folders = trackerFolders(trainingConfig, outputDir, env);
  } catch (error) {
    if (!AdaptiveTrainerError.isInstance(error, 'CONFIG_INVALID')) throw error;
    return error.details.faults as ConfigFault[];
  }
  const isOutside = (folder: string) => !resolve(folder).startsWith(resolve(outputDir));
  for (const { name, folder } of folders.filter((one) => !isRefused || isOutside(one.folder))) {
    const reason = await reasonOf(tryFolder(folder));
    if (reason !== undefined)
      onNote(`${folder} cannot be written: ${reason}. A run goes on without ${name}.`);
  }
  for (const name of isRefused ? [] : ['metrics.jsonl', 'report.html']) {
    const file = join(outputDir, name);
    const reason = existsSync(file)
      ? await reasonOf(open(file, 'r+').then((handle) => handle.close()))
      : undefined;
    if (reason !== undefined) onNote(`${file} cannot be written: ${reason}. A run goes on without it.`);
  }
  return [];
}

/** Why a trial failed, without the path that it was asked for; undefined: it did not. */
async function reasonOf(trial: Promise<unknown>): Promise<string | undefined> {
  try {
    await trial;
    return undefined;
  } catch (error) {
    return errorText(AdaptiveTrainerError.isInstance(error, 'IO_FAILED') ? error.cause : error);
  }
}

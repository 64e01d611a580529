import { join } from 'node:path';
import type { TrainingConfig } from '../config/schema/parsed-config.js';
import { trainingConfigSchema } from '../config/schema/training-config.js';
import type { Tracker } from '../events/tracker.js';
import type { WarningEvent } from '../events/training-event.js';
import { JsonlTracker } from './jsonl-tracker.js';
import { TensorBoardTracker } from './tensorboard/tensorboard-tracker.js';
import { wandbSettings, type WandbSettings } from './wandb/wandb-settings.js';
import { WandbTracker } from './wandb/wandb-tracker.js';

/** The keys of `trainingConfig` that say where a run is reported. */
export type ReportingConfig = Pick<
  TrainingConfig,
  'reportTo' | 'useWandb' | 'wandbProject' | 'wandbEntity' | 'runName'
>;

export interface OpenTrackersOptions {
  /** Told what a tracker could not write or send. Default: a process warning. */
  onWarning?: (warning: WarningEvent) => void;
  /** Told where W&B shows the run and what is left to send. Default: printed to stderr. */
  onNote?: (message: string) => void;
}

const { wandbProject: projectSchema } = trainingConfigSchema.shape;

/**
 * Returns the trackers that `reportTo` and `useWandb` ask for: `metrics.jsonl` always, Weights & Biases and TensorBoard
 * where they are named, and trackers of the user's own as they are.
 *
 * @param outputDir the folder of the run, which holds all that they write
 * @throws AdaptiveTrainerError CONFIG_INVALID for a W&B variable of the environment that cannot be used
 */
export function openTrackers(
  config: ReportingConfig,
  outputDir: string,
  { onWarning, onNote }: OpenTrackersOptions = {},
): Tracker[] {
  const told = { ...(onWarning ? { onWarning } : {}), ...(onNote ? { onNote } : {}) };
  const settings = wandbSettingsOf(config, outputDir);
  const asked = targets(config);
  return [
    new JsonlTracker(outputDir, told),
    ...(settings.mode === 'disabled' ? [] : [new WandbTracker({ settings, ...told })]),
    ...(asked.includes('tensorboard') ? [new TensorBoardTracker(outputDir, told)] : []),
    ...asked.filter((one): one is Tracker => typeof one === 'object'),
  ];
}

/**
 * The folders, beside the output folder, that the trackers of a run write into.
 * @throws AdaptiveTrainerError as openTrackers()
 */
export function trackerFolders(
  config: ReportingConfig,
  outputDir: string,
  env: NodeJS.ProcessEnv,
): { name: string; folder: string }[] {
  const { mode, dir } = wandbSettingsOf(config, outputDir, env);
  const wandb = mode === 'disabled' ? [] : [{ name: 'W&B', folder: join(dir, 'wandb') }];
  const tensorboard = { name: 'TensorBoard', folder: join(outputDir, 'tensorboard') };
  return [...wandb, ...(targets(config).includes('tensorboard') ? [tensorboard] : [])];
}

function wandbSettingsOf(
  config: ReportingConfig,
  outputDir: string,
  env: NodeJS.ProcessEnv = process.env,
): WandbSettings {
  const request = {
    use: wandbUse(config),
    project: config.wandbProject,
    isProjectGiven: config.wandbProject !== projectSchema.parse(undefined),
    entity: config.wandbEntity,
    name: config.runName,
    outputDir,
  };
  return wandbSettings(request, env);
}

/** `reportTo` as a list, `all` spelled out. */
function targets({ reportTo }: Pick<ReportingConfig, 'reportTo'>): ('wandb' | 'tensorboard' | Tracker)[] {
  const given = reportTo === null ? [] : Array.isArray(reportTo) ? reportTo : [reportTo];
  const all = given.flatMap((target) => {
    if (target === 'all') return ['wandb', 'tensorboard'] as const;
    // metrics.jsonl is written in any case.
    return target === 'none' || target === 'jsonl' ? [] : [target];
  });
  return [...new Set(all)];
}

/** `reportTo` decides where it is given; `useWandb: true` adds W&B to it. */
function wandbUse({ reportTo, useWandb }: ReportingConfig): 'auto' | boolean {
  if (reportTo === null) return useWandb;
  return targets({ reportTo }).includes('wandb') || useWandb === true;
}

import { configGroups } from '../schema/config-groups.js';
import { ConfigReader } from './config-reader.js';
import { asParsedWhole, isParsed } from './parsed.js';
import { Planner } from '../datasets/read-plans.js';
import type { ConfigWarning } from './config-warning.js';
import { findOutputDir } from './find-output-dir.js';
import { isPlainObject } from '../../common/is-plain-object.js';
import type { AdaptiveLossConfig, TrainingConfig } from '../schema/parsed-config.js';
import { readAdaptiveLossConfig } from './read-adaptive-loss-config.js';
import { readTrainingConfig } from './read-training-config.js';
import { snakeCase } from '../../common/snake-case.js';
import { throwFaults } from './throw-faults.js';
import { withRetention } from './with-retention.js';
import { writesSnakeCase } from './writes-snake-case.js';

/** What `AdaptiveTrainer` is configured with, checked and with every default filled in. */
export interface TrainerConfig {
  args: TrainingConfig;
  adaptiveLoss: AdaptiveLossConfig;
  /** Undefined: nothing is written. */
  outputDir: string | undefined;
  warnings: ConfigWarning[];
}

/**
 * Reads the `args` and `adaptiveLoss` of `AdaptiveTrainer`, the same keys as `trainingConfig` and
 * `adaptiveLossConfig` of the one-call API, in either spelling. Keys of the loss may also stand in `args`. Parts of a parsed
 * configuration are taken as they are.
 * @throws AdaptiveTrainerError CONFIG_INVALID, once for all faults, with paths that start at `args` or `adaptiveLoss`
 */
export function parseTrainerConfig(
  input: { args?: unknown; adaptiveLoss?: unknown; outputDir?: unknown },
  env: NodeJS.ProcessEnv = process.env,
): TrainerConfig {
  const reader = new ConfigReader(writesSnakeCase(input));
  const [own, ofLoss] = isParsed(input.args) ? [input.args, {}] : splitArgs(input.args);
  const planner = new Planner(reader, new Map());
  const { config: args, refusesRetention } = isParsed(own)
    ? { config: own as TrainingConfig, refusesRetention: false }
    : readTrainingConfig(reader, own, 'args', env, planner);
  const hasLossKeys = Object.keys(ofLoss).length > 0;
  const loss =
    isPlainObject(input.adaptiveLoss) && hasLossKeys
      ? { ...ofLoss, ...input.adaptiveLoss }
      : (input.adaptiveLoss ?? ofLoss);
  const adaptiveLoss = isParsed(loss)
    ? (loss as AdaptiveLossConfig)
    : readAdaptiveLossConfig(reader, loss, 'adaptiveLoss');
  const beside = input.outputDir === undefined ? undefined : { value: input.outputDir, path: 'outputDir' };
  const folder = findOutputDir(reader, beside, own, 'args');
  if (folder !== undefined && (typeof folder.value !== 'string' || folder.value === ''))
    reader.unexpected(folder.path, 'a string that is not empty', folder.value);
  const parts = { trainingConfig: args, adaptiveLossConfig: adaptiveLoss, refusesRetention };
  const whole = withRetention(reader, parts, 'adaptiveLoss');
  throwFaults(reader.faults);
  return {
    args: asParsedWhole(whole!),
    adaptiveLoss: asParsedWhole(adaptiveLoss!),
    outputDir: folder?.value as string | undefined,
    warnings: reader.warnings,
  };
}

/** The keys of `args` that are its own, and those of the loss. */
function splitArgs(args: unknown): [unknown, Record<string, unknown>] {
  if (!isPlainObject(args)) return [args, {}];
  const lossKeys = new Set(configGroups.adaptiveLossConfig.flatMap((key) => [key, snakeCase(key)]));
  const entries = Object.entries(args);
  return [
    Object.fromEntries(entries.filter(([key]) => !lossKeys.has(key))),
    Object.fromEntries(entries.filter(([key]) => lossKeys.has(key))),
  ];
}

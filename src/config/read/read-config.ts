import * as z from 'zod';
import { hubSettings } from '../../common/hub-settings.js';
import { isHubName } from '../../common/is-hub-name.js';
import { ConfigReader } from './config-reader.js';
import type { GivenKeys } from './config-reader.js';
import { describeValue } from '../../common/describe-value.js';
import { findOutputDir } from './find-output-dir.js';
import { field } from '../schema/field.js';
import { groupWithKey } from './group-with-key.js';
import type {
  AdaptiveLossConfig,
  PeftConfig,
  TrainingConfig,
  UploadConfig,
} from '../schema/parsed-config.js';
import { readAdaptiveLossConfig } from './read-adaptive-loss-config.js';
import { faultsOfMixing } from '../datasets/plan-mixing.js';
import { Planner } from '../datasets/read-plans.js';
import type { DatasetPlan } from '../datasets/dataset-plan.js';
import { readGroupKeys } from './read-group-keys.js';
import { readPeftConfig } from './read-peft-config.js';
import { readTrainingConfig } from './read-training-config.js';
import { withRetention } from './with-retention.js';
import { uploadConfigSchema } from '../schema/upload-config.js';
import { writesSnakeCase } from './writes-snake-case.js';

const ownValues = {
  modelName: z.object({ modelName: field.text() }),
  outputDir: z.object({ outputDir: field.text() }),
  huggingfaceRepo: z.object({ huggingfaceRepo: field.text().nullable().default(null) }),
};

const keysOfCall = [
  ...Object.keys(ownValues),
  'datasetsConfig',
  'systemPrompts',
  'datasetsKwargs',
  'datasetSpecificSystemPrompts',
  'trainingConfig',
  'adaptiveLossConfig',
  'uploadConfig',
  'peftConfig',
];

/** The parts of a configuration; undefined: one with a fault, which `reader` holds. */
export interface ConfigParts {
  reader: ConfigReader;
  /** The keys of the whole as they were given. */
  given: GivenKeys;
  modelName: string | undefined;
  outputDir: string | undefined;
  huggingfaceRepo: string | null | undefined;
  /** Those without a fault. */
  datasets: readonly DatasetPlan[] | undefined;
  /** Those that `trainingConfig.retention` names. */
  retentionDatasets: readonly DatasetPlan[] | undefined;
  /** `trainingConfig.retention` was given as false. */
  refusesRetention: boolean;
  trainingConfig: TrainingConfig | undefined;
  adaptiveLossConfig: AdaptiveLossConfig | undefined;
  uploadConfig: UploadConfig | undefined;
  /** null: all weights are trained. */
  peftConfig: PeftConfig | null | undefined;
}

/** Reads what `trainAdaptively` was given part by part, so that one with a fault keeps no other from being looked at. */
export function readConfig(input: unknown, env: NodeJS.ProcessEnv): ConfigParts {
  const reader = new ConfigReader(writesSnakeCase(input));
  if (input === undefined || input === null) reader.unexpected('', 'an object', input);
  const given = reader.keys(input, '', keysOfCall, undefined, groupWithKey);
  const parts = { reader, given } as ConfigParts;
  // Something that is no object at all has one fault, not one more for each key it lacks.
  if (reader.faults.some(({ path }) => path === '')) return parts;
  const pathOf = (name: string) => given.get(name)?.path ?? reader.spell(name);
  const [training, loss] = ['trainingConfig', 'adaptiveLossConfig'] as const;
  const { modelName, outputDir, huggingfaceRepo } = ownValues;
  const folder = findOutputDir(reader, given.get('outputDir'), given.get(training)?.value, pathOf(training));
  if (folder !== undefined) given.set('outputDir', folder);
  parts.modelName = reader.read(modelName, given, '')?.modelName;
  parts.outputDir = reader.read(outputDir, given, '')?.outputDir;
  parts.huggingfaceRepo = reader.read(huggingfaceRepo, given, '')?.huggingfaceRepo;
  const before = reader.faults.length;
  const planner = new Planner(reader, given);
  parts.datasets = planner.read();
  const areWhole = reader.faults.length === before;
  parts.trainingConfig = whole(reader, () => {
    const read = readTrainingConfig(reader, given.get(training)?.value, pathOf(training), env, planner);
    parts.retentionDatasets = read.retentionDatasets;
    parts.refusesRetention = read.refusesRetention;
    return read.config;
  });
  planner.warnOfUnused();
  if (parts.trainingConfig !== undefined && areWhole) {
    const at = `${pathOf(training)}.${reader.spell('mixingProbabilities')}`;
    const spell = (name: string) => reader.spell(name);
    reader.faults.push(...faultsOfMixing(parts.trainingConfig, parts.datasets, at, spell));
  }
  parts.adaptiveLossConfig = readAdaptiveLossConfig(reader, given.get(loss)?.value, pathOf(loss));
  parts.trainingConfig = withRetention(reader, parts, pathOf(loss));
  const peft = given.get('peftConfig');
  const hasPeft = peft !== undefined && peft.value !== null;
  parts.peftConfig = hasPeft ? readPeftConfig(reader, peft.value, peft.path) : null;
  if (hasPeft && parts.trainingConfig?.fromScratch === true) {
    reader.faults.push({
      path: peft.path,
      code: 'CONTRADICTION',
      message: `expected none with ${pathOf(training)}.${reader.spell('fromScratch')}, received an adapter, whose base would stay random; remove one of the two`,
    });
  }
  const isNamed = checkRepo(reader, given, env);
  if (!isNamed) parts.huggingfaceRepo = undefined;
  parts.uploadConfig = readUpload(reader, given);
  return parts;
}

/** What is read without a new fault. */
function whole<T>(reader: ConfigReader, read: () => T | undefined): T | undefined {
  const before = reader.faults.length;
  const part = read();
  return reader.faults.length === before ? part : undefined;
}

/** False where the repository is named in a way that is no name. */
function checkRepo(reader: ConfigReader, given: GivenKeys, env: NodeJS.ProcessEnv): boolean {
  const repo = given.get('huggingfaceRepo');
  const upload = given.get('uploadConfig');
  const isWanted = repo !== undefined && repo.value !== null;
  if (isWanted && typeof repo.value === 'string' && !isHubName(repo.value)) {
    reader.faults.push({
      path: repo.path,
      code: 'INVALID',
      message: `expected the name of a repository on the Hub, "owner/name", received ${describeValue(repo.value)}`,
    });
    return false;
  }
  if (isWanted && typeof repo.value === 'string' && hubSettings(env).token === undefined) {
    reader.warnings.push({
      code: 'NOTHING_UPLOADED',
      message: `HF_TOKEN is not set, so nothing will be uploaded to ${repo.value}; the model stays in the output folder.`,
    });
  } else if (!isWanted && upload !== undefined && upload.value !== null) {
    reader.warnings.push({
      code: 'UPLOAD_CONFIG_UNUSED',
      message: `${upload.path} has no effect without ${reader.spell('huggingfaceRepo')}.`,
    });
  }
  return true;
}

function readUpload(reader: ConfigReader, given: GivenKeys): UploadConfig | undefined {
  const upload = given.get('uploadConfig');
  const path = upload?.path ?? reader.spell('uploadConfig');
  return reader.read(uploadConfigSchema, readGroupKeys(reader, 'uploadConfig', upload?.value, path), path);
}

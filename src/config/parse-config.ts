import { z } from 'zod';
import { hubSettings } from '../hub/hub-settings.js';
import { isHubName } from '../hub/is-hub-name.js';
import { ConfigReader } from './config-reader.js';
import type { GivenKeys } from './config-reader.js';
import { describeValue } from './describe-value.js';
import { field } from './field.js';
import type { ParsedConfig, UploadConfig } from './parsed-config.js';
import { groupWithKey } from './group-with-key.js';
import { readAdaptiveLossConfig } from './read-adaptive-loss-config.js';
import { readDatasets } from './read-datasets.js';
import { readPeftConfig } from './read-peft-config.js';
import { readGroupKeys } from './read-group-keys.js';
import { readTrainingConfig } from './read-training-config.js';
import { throwFaults } from './throw-faults.js';
import { uploadConfigSchema } from './upload-config.js';
import { writesSnakeCase } from './writes-snake-case.js';

const ownValues = z.object({
  modelName: field.text(),
  outputDir: field.text(),
  huggingfaceRepo: field.text().nullable().default(null),
});

const keysOfCall = [
  ...Object.keys(ownValues.shape),
  ...['datasetsConfig', 'systemPrompts', 'datasetsKwargs', 'datasetSpecificSystemPrompts'],
  ...['trainingConfig', 'adaptiveLossConfig', 'uploadConfig', 'peftConfig'],
];

/**
 * Reads what `trainAdaptively` was given: takes both spellings, checks everything, fills in the defaults. Reads no
 * file but the Hub's token, where a repository is named; of the environment it looks at HF_TOKEN (and what says where that
 * file is), WANDB_API_KEY and WORLD_SIZE.
 * @param input see `TrainAdaptivelyOptions`; anything at all is checked
 * @throws AdaptiveTrainerError CONFIG_INVALID, once for all faults; `details.faults` holds each as a `ConfigFault`
 */
export function parseConfig(input: unknown, env: NodeJS.ProcessEnv = process.env): ParsedConfig {
  const reader = new ConfigReader(writesSnakeCase(input));
  if (input === undefined || input === null) {
    reader.unexpected('', 'an object', input);
    throwFaults(reader.faults);
  }
  const given = reader.keys(input, '', keysOfCall, undefined, groupWithKey);
  throwIfNoObject(reader);

  const own = reader.read(ownValues, given, '');
  const datasets = readDatasets(reader, given);
  const pathOf = (name: string) => given.get(name)?.path ?? reader.spell(name);
  const [training, loss] = ['trainingConfig', 'adaptiveLossConfig'] as const;
  const trainingConfig = readTrainingConfig(reader, given.get(training)?.value, pathOf(training), env);
  const adaptiveLossConfig = readAdaptiveLossConfig(reader, given.get(loss)?.value, pathOf(loss));
  const peft = given.get('peftConfig');
  const hasPeft = peft !== undefined && peft.value !== null;
  const peftConfig = hasPeft ? readPeftConfig(reader, peft.value, peft.path) : null;
  const uploadConfig = readUpload(reader, given, env);

  throwFaults(reader.faults);
  return {
    ...own!,
    ...datasets!,
    trainingConfig: trainingConfig!,
    adaptiveLossConfig: adaptiveLossConfig!,
    uploadConfig: uploadConfig!,
    peftConfig: peftConfig!,
    warnings: reader.warnings,
  };
}

// Something that is no object at all has one fault, not one more for each key it lacks.
function throwIfNoObject(reader: ConfigReader): void {
  if (reader.faults.some(({ path }) => path === '')) throwFaults(reader.faults);
}

function readUpload(
  reader: ConfigReader,
  given: GivenKeys,
  env: NodeJS.ProcessEnv,
): UploadConfig | undefined {
  const repo = given.get('huggingfaceRepo');
  const upload = given.get('uploadConfig');
  const wanted = repo !== undefined && repo.value !== null;
  if (wanted && typeof repo.value === 'string' && !isHubName(repo.value)) {
    reader.faults.push({
      path: repo.path,
      code: 'INVALID',
      message: `expected the name of a repository on the Hub, "owner/name", received ${describeValue(repo.value)}`,
    });
  } else if (wanted && hubSettings(env).token === undefined) {
    reader.warnings.push({
      code: 'NOTHING_UPLOADED',
      message: `HF_TOKEN is not set, so nothing will be uploaded to ${String(repo.value)}; the model stays in the output folder.`,
    });
  } else if (!wanted && upload !== undefined && upload.value !== null) {
    reader.warnings.push({
      code: 'UPLOAD_CONFIG_UNUSED',
      message: `${upload.path} has no effect without ${reader.spell('huggingfaceRepo')}.`,
    });
  }
  const path = upload?.path ?? reader.spell('uploadConfig');
  return reader.read(uploadConfigSchema, readGroupKeys(reader, 'uploadConfig', upload?.value, path), path);
}

import type { ParsedConfig } from '../schema/parsed-config.js';
import { readConfig } from './read-config.js';
import { throwFaults } from './throw-faults.js';

/**
 * Reads what `trainAdaptively` was given: takes both spellings, checks everything, fills in the defaults. Reads no
 * file but the Hub's token, where a repository is named; of the environment it looks at HF_TOKEN (and what says where that
 * file is), WANDB_API_KEY and WORLD_SIZE.
 * @param input see `TrainAdaptivelyOptions`; anything at all is checked
 * @throws AdaptiveTrainerError CONFIG_INVALID, once for all faults; `details.faults` holds each as a `ConfigFault`
 */
export function parseConfig(input: unknown, env: NodeJS.ProcessEnv = process.env): ParsedConfig {
  const { reader, modelName, outputDir, huggingfaceRepo, datasets, ...groups } = readConfig(input, env);
  const { trainingConfig, adaptiveLossConfig, uploadConfig, peftConfig } = groups;
  throwFaults(reader.faults);
  // Without a fault there is every part.
  return {
    ...{ modelName: modelName!, outputDir: outputDir!, huggingfaceRepo: huggingfaceRepo! },
    ...datasets!,
    trainingConfig: trainingConfig!,
    adaptiveLossConfig: adaptiveLossConfig!,
    uploadConfig: uploadConfig!,
    peftConfig: peftConfig!,
    warnings: reader.warnings,
  };
}

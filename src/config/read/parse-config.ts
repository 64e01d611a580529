import type { ParsedConfig } from '../schema/parsed-config.js';
import { asParsedWhole } from './parsed.js';
import { readConfig, type ConfigParts } from './read-config.js';
import { throwFaults } from './throw-faults.js';

const partsOf = new WeakMap<object, ConfigParts>();

/**
 * Reads what `trainAdaptively` was given: takes both spellings, checks everything, fills in the defaults. Reads no
 * file but the Hub's token, where a repository is named; of the environment it looks at HF_TOKEN (and what says where that
 * file is), WANDB_API_KEY and WORLD_SIZE. What it returned is taken as it is.
 * @param input see `TrainAdaptivelyOptions`; anything at all is checked
 * @throws AdaptiveTrainerError CONFIG_INVALID, once for all faults; `details.faults` holds each as a `ConfigFault`
 */
export function parseConfig(input: unknown, env: NodeJS.ProcessEnv = process.env): ParsedConfig {
  return isParsedConfig(input) ? input : wholeConfig(readConfig(input, env));
}

/** @internal The parts of a configuration, read now or when it was parsed. */
export function configParts(input: unknown, env: NodeJS.ProcessEnv): ConfigParts {
  return isParsedConfig(input) ? partsOf.get(input)! : readConfig(input, env);
}

function isParsedConfig(input: unknown): input is ParsedConfig {
  return typeof input === 'object' && input !== null && partsOf.has(input);
}

/** @internal @throws AdaptiveTrainerError CONFIG_INVALID for parts with faults */
export function wholeConfig(parts: ConfigParts): ParsedConfig {
  const { reader, given, peftConfig } = parts;
  throwFaults(reader.faults);
  const table = (name: string) => (given.get(name)?.value ?? {}) as Record<string, never>;
  // Without a fault there is every part.
  const config: ParsedConfig = {
    modelName: parts.modelName!,
    outputDir: parts.outputDir!,
    huggingfaceRepo: parts.huggingfaceRepo!,
    datasets: parts.datasets!,
    retentionDatasets: parts.retentionDatasets!,
    datasetsConfig: table('datasetsConfig'),
    systemPrompts: table('systemPrompts'),
    datasetsKwargs: table('datasetsKwargs'),
    datasetSpecificSystemPrompts: table('datasetSpecificSystemPrompts'),
    trainingConfig: asParsedWhole(parts.trainingConfig!),
    adaptiveLossConfig: asParsedWhole(parts.adaptiveLossConfig!),
    uploadConfig: asParsedWhole(parts.uploadConfig!),
    peftConfig: peftConfig === null ? null : asParsedWhole(peftConfig!),
    warnings: reader.warnings,
  };
  partsOf.set(config, parts);
  return Object.freeze(config);
}

import { dataFileKind } from '../../common/data-file-kind.js';
import { AdaptiveTrainerError } from '../../errors.js';
import type { DatasetConfig } from './dataset-configs.js';
import { hubSplits } from './hub-splits.js';
import { matchesPattern } from '../cache/matches-pattern.js';
import { oneFormat } from './one-format.js';

/** What of a repository is asked for. */
export interface ChooseDatasetFiles {
  /** `owner/name`, for messages. */
  name: string;
  paths: readonly string[];
  /** Those of its README.md. */
  configs: readonly DatasetConfig[];
  configName: string | null;
  dataDir: string | null;
  dataFiles: Readonly<Record<string, readonly string[]>> | null;
}

/**
 * The files of a dataset by split, as `load_dataset` finds them: those that `data_files` names, else those of the
 * configuration in its README.md, else by the names of the files.
 * @returns nothing where the repository has no file that can be read, or not the configuration asked for
 * @throws AdaptiveTrainerError DATASET_NOT_FOUND for a pattern without a file, and where a configuration has to be named
 */
export function chooseDatasetFiles(asked: ChooseDatasetFiles): Map<string, string[]> {
  const { paths, configs, configName, dataDir, dataFiles } = asked;
  const base = clean(dataDir ?? '');
  if (dataFiles !== null) return byPattern(asked, base, new Map(Object.entries(dataFiles)));
  if (dataDir !== null) return hubSplits(paths, base);
  if (configs.length === 0)
    return configName === null || configName === 'default' ? hubSplits(paths) : new Map();
  const config = pick(asked);
  if (config === undefined) return new Map();
  const folder = clean(config.dataDir ?? '');
  return config.dataFiles === undefined
    ? hubSplits(paths, folder)
    : byPattern(asked, folder, config.dataFiles);
}

function pick({ name, configs, configName }: ChooseDatasetFiles): DatasetConfig | undefined {
  if (configName !== null) return configs.find((config) => config.name === configName);
  const only = configs.length === 1 ? configs[0] : undefined;
  const chosen =
    configs.find(({ isDefault }) => isDefault) ?? configs.find((one) => one.name === 'default') ?? only;
  if (chosen !== undefined) return chosen;
  const names = configs.map((config) => config.name);
  throw new AdaptiveTrainerError(
    'DATASET_NOT_FOUND',
    `Expected to be told which configuration of the dataset "${name}" to use, for it has several: ${names.join(', ')}. ` +
      `Set "name" to one of them in datasets_kwargs.`,
    { details: { dataset: name, found: names } },
  );
}

function byPattern(
  { name, paths }: ChooseDatasetFiles,
  base: string,
  patterns: ReadonlyMap<string, readonly string[]>,
): Map<string, string[]> {
  const splits = new Map<string, string[]>();
  for (const [split, list] of patterns) {
    const files = new Set<string>();
    for (const pattern of list) {
      const whole = base === '' ? pattern : `${base}/${clean(pattern)}`;
      const found = paths.filter((path) => path === clean(whole) || matchesPattern(whole, path)).sort();
      if (found.length === 0) throw noMatch(name, whole, paths);
      for (const path of found) files.add(path);
    }
    splits.set(
      split,
      [...files].filter((path) => dataFileKind(path) !== undefined),
    );
  }
  return oneFormat(splits);
}

function clean(folder: string): string {
  return folder.replace(/^(\.?\/)+|\/+$|^\.$/g, '');
}

function noMatch(name: string, pattern: string, paths: readonly string[]): AdaptiveTrainerError {
  const some = paths.slice(0, 8).join(', ');
  return new AdaptiveTrainerError(
    'DATASET_NOT_FOUND',
    `Expected files of the dataset "${name}" to match ${JSON.stringify(pattern)} but none does; it has ` +
      `${paths.length === 0 ? 'no files' : `${some}${paths.length > 8 ? ', …' : ''}`}.`,
    { details: { dataset: name, pattern } },
  );
}

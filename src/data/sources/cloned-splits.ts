import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DatasetLocation } from '../../config/datasets/dataset-plan.js';
import { AdaptiveTrainerError } from '../../errors.js';
import { chooseDatasetFiles } from '../../hub/datasets/choose-dataset-files.js';
import { convertedConfig, convertedSplits } from '../../hub/datasets/converted-splits.js';
import { hubSplits } from '../../hub/datasets/hub-splits.js';

/**
 * The files by split of a local copy of a Hub dataset, by the `configs` of its README.md, or of the configuration that is
 * asked for in a copy of the Parquet files that the Hub makes (`<configuration>/<split>/0000.parquet`). Undefined where it
 * has no `configs` and none is asked for.
 *
 * @throws AdaptiveTrainerError `DATASET_NOT_FOUND` for a configuration that is not there, for a pattern without a file, and
 * where a configuration has to be named
 */
export async function declaredSplits(
  dir: string,
  { configName, dataDir }: DatasetLocation,
  onWarning: (message: string) => void,
): Promise<Map<string, string[]> | undefined> {
  const readme = await readFile(join(dir, 'README.md'), 'utf8').catch(() => undefined);
  const { readConfigs } = await import('../../hub/datasets/dataset-configs.js');
  const configs = dataDir === null ? readConfigs(readme, `in ${dir}`, onWarning) : [];
  if (configs.length === 0 && configName === null) return undefined;
  const paths = await filesOf(dir);
  const asked = { name: dir, paths, configs, configName, dataDir: null, dataFiles: null };
  const own = chooseDatasetFiles(asked);
  if (own.size > 0) return inFolder(dir, own);
  const byConfig = convertedSplits(paths);
  const converted = convertedConfig(byConfig, configName, warnOfPart(dir, onWarning));
  if (converted !== undefined) return inFolder(dir, converted);
  const found = [...new Set([...configs.map(({ name }) => name), ...byConfig.keys()])];
  throw new AdaptiveTrainerError(
    'DATASET_NOT_FOUND',
    `Expected ${configName === null ? 'data files' : `the configuration "${configName}"`} in ${dir} but found ` +
      (found.length === 0
        ? 'none: a README.md with "configs", or folders <configuration>/<split>, say what there is. Remove "name".'
        : `the configurations ${found.join(', ')}. Set "name" to one of them in datasets_kwargs.`),
    { details: { path: dir, found } },
  );
}

/**
 * The files of a folder by split, by the rules that the Hub's datasets are read by; none where there is no sign that it is a
 * copy of one, for those rules take what has other names for training data.
 */
export async function repositorySplits(
  dir: string,
  onWarning: (message: string) => void,
): Promise<Map<string, string[]>> {
  const paths = await filesOf(dir);
  const ofOne = convertedSplits(paths.map((path) => `./${path}`)); // the folder of one configuration
  const byConfig = convertedSplits(paths);
  const converted = convertedConfig(ofOne.size > 0 ? ofOne : byConfig, null, warnOfPart(dir, onWarning));
  if (converted !== undefined) return inFolder(dir, converted);
  if (byConfig.size > 0) {
    throw new AdaptiveTrainerError(
      'DATASET_NOT_FOUND',
      `Expected to be told which configuration of the dataset in ${dir} to use, for it has several: ` +
        `${[...byConfig.keys()].join(', ')}. Set "name" to one of them in datasets_kwargs.`,
      { details: { path: dir, found: [...byConfig.keys()] } },
    );
  }
  const isCopy = ['README.md', '.gitattributes'].some((name) => paths.includes(name));
  return inFolder(dir, isCopy ? hubSplits(paths) : new Map());
}

function warnOfPart(dir: string, onWarning: (message: string) => void): (split: string) => void {
  return (split) =>
    onWarning(`The "${split}" rows in ${dir} are the beginning of their split only; these are used.`);
}

function inFolder(dir: string, splits: ReadonlyMap<string, string[]>): Map<string, string[]> {
  const local = (path: string) => join(dir, ...path.split('/'));
  return new Map([...splits].map(([split, files]) => [split, files.map(local)]));
}

async function filesOf(dir: string): Promise<string[]> {
  const { glob } = await import('tinyglobby');
  const found = await glob('**', { cwd: dir, dot: true, onlyFiles: true, ignore: ['**/.git/**'] });
  return found.sort();
}

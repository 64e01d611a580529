import { chooseSplits } from '../../config/datasets/choose-splits.js';
import type { DatasetFiles } from '../../config/datasets/dataset-files.js';
import type { DatasetLocation } from '../../config/datasets/dataset-plan.js';
import { AdaptiveTrainerError } from '../../errors.js';
import { chooseDatasetFiles } from './choose-dataset-files.js';
import { convertedConfig, convertedSplits } from './converted-splits.js';
import { HubSnapshot, type OpenSnapshot } from '../cache/hub-snapshot.js';
import { repoPage } from '../client/hub-repo.js';
import { join } from 'node:path';
import type { HubProgress } from '../../events/hub-progress.js';
import { hubSettings, type HubSettings } from '../../common/hub-settings.js';

/** How to download. */
export interface DownloadDatasetOptions {
  /** Default: those of the environment. */
  settings?: HubSettings | undefined;
  onWarning?: ((message: string) => void) | undefined;
  onProgress?: ((progress: HubProgress) => void) | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Brings a dataset of the Hub into the shared cache, of its files only those of the splits that are asked for: its own
 * files where they can be read, else the Parquet files that the Hub makes of every dataset.
 * @param name `owner/name`
 * @throws AdaptiveTrainerError DATASET_NOT_FOUND for a configuration, split or pattern that is not there; HUB_FAILED,
 * ABORTED, IO_FAILED
 */
export async function downloadDataset(
  name: string,
  location: DatasetLocation,
  options: DownloadDatasetOptions = {},
): Promise<DatasetFiles> {
  const { snapshot, chosen } = await findDataset(name, location, options);
  await snapshot.fetch([...new Set([...chosen.train, ...(chosen.eval ?? [])])], options.onProgress);
  const local = (paths: string[]) => paths.map((path) => join(snapshot.dir, ...path.split('/')));
  return { train: local(chosen.train), eval: chosen.eval && local(chosen.eval) };
}

/** Files of a repository by split, and where they will lie. */
interface Found {
  snapshot: HubSnapshot;
  splits: ReadonlyMap<string, string[]>;
}

const parquetBranch = 'refs/convert/parquet';

/**
 * Finds a dataset on the Hub and which files its splits are: its own where they can be read, else the Parquet files that
 * the Hub makes of every dataset. Brings none of them here.
 * @param name `owner/name`
 * @returns `chosen`: paths in the repository
 * @throws AdaptiveTrainerError DATASET_NOT_FOUND for a configuration, split or pattern that is not there; HUB_FAILED,
 * ABORTED
 */
export async function findDataset(
  name: string,
  location: DatasetLocation,
  { settings = hubSettings(), signal, onWarning = () => {} }: DownloadDatasetOptions = {},
): Promise<{ snapshot: HubSnapshot; chosen: DatasetFiles }> {
  const repo = { type: 'dataset', name } as const;
  const open = { settings, repo, signal, onWarning };
  const own = await ownFiles(open, location);
  const { snapshot, splits } = own.splits.size > 0 ? own : await convertedFiles(open, location, own.snapshot);
  return { snapshot, chosen: chooseSplits(splits, location, `the dataset "${name}"`, onWarning) };
}

async function ownFiles(open: OpenSnapshot, location: DatasetLocation): Promise<Found> {
  const { configName, dataDir, dataFiles, revision } = location;
  const { name } = open.repo;
  const snapshot = await HubSnapshot.open({ ...open, revision: revision ?? undefined });
  const { readConfigs } = await import('./dataset-configs.js');
  const configs =
    dataFiles === null && dataDir === null
      ? readConfigs(await snapshot.read('README.md'), `"${name}"`, open.onWarning)
      : [];
  const asked = { name, paths: snapshot.paths, configs, configName, dataDir, dataFiles };
  return { snapshot, splits: chooseDatasetFiles(asked) };
}

/** `<configuration>/<split>/0000.parquet` on a branch that the Hub keeps. It is of `main`, so of no other revision. */
async function convertedFiles(
  open: OpenSnapshot,
  location: DatasetLocation,
  own: HubSnapshot,
): Promise<Found> {
  const { configName, dataDir, dataFiles, revision } = location;
  const { repo, onWarning } = open;
  if (revision !== null || dataDir !== null || dataFiles !== null) throw noFiles(open, location, own.paths);
  let snapshot: HubSnapshot;
  try {
    snapshot = await HubSnapshot.open({ ...open, revision: parquetBranch });
  } catch (error) {
    const isMissing = AdaptiveTrainerError.isInstance(error, 'HUB_FAILED') && error.details.status === 404;
    throw isMissing ? noFiles(open, location, own.paths) : error;
  }
  const byConfig = convertedSplits(snapshot.paths);
  const splits = convertedConfig(byConfig, configName, (split) =>
    onWarning?.(`The Hub has the "${split}" rows of "${repo.name}" as Parquet in part only; these are used.`),
  );
  if (splits === undefined) throw noFiles(open, location, own.paths, [...byConfig.keys()]);
  // So that without network it is known again that the dataset's own files do not serve.
  await own.fetch([]);
  return { snapshot, splits };
}

function noFiles(
  { settings, repo }: OpenSnapshot,
  { configName, dataDir }: DatasetLocation,
  paths: readonly string[],
  configs: string[] = [],
): AdaptiveTrainerError {
  const page = repoPage(settings, repo);
  const found =
    configs.length > 0
      ? `the configurations ${configs.join(', ')}; set "name" to one of them in datasets_kwargs`
      : `${paths.length === 0 ? 'no files' : paths.slice(0, 8).join(', ')}${paths.length > 8 ? ', …' : ''}`;
  const what = [
    ...(configName === null ? [] : [`the configuration "${configName}"`]),
    ...(dataDir === null ? [] : [`files in ${dataDir}`]),
  ].join(' and ');
  return new AdaptiveTrainerError(
    'DATASET_NOT_FOUND',
    `Expected ${what === '' ? 'JSONL, JSON, CSV or Parquet files' : what} in the dataset "${repo.name}" but found ` +
      `${found}. Look at ${page}.`,
    { details: { dataset: repo.name, page, found: configs.length > 0 ? configs : [...paths] } },
  );
}

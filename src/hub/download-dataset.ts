import { join } from 'node:path';
import type { DatasetFiles } from '../data/dataset-files.js';
import type { DatasetLocation } from '../data/dataset-plan.js';
import { findDataset } from './find-dataset.js';
import type { HubProgress } from './hub-progress.js';
import type { HubSettings } from './hub-settings.js';

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

import { isPlainObject } from '../../common/is-plain-object.js';
import type { DatasetLocation } from '../../config/datasets/dataset-plan.js';
import { frontMatter } from './dataset-configs.js';
import { findDataset, type DownloadDatasetOptions } from './download-dataset.js';

/** How large a dataset is, as far as that can be known without its files. */
export interface DatasetSize {
  /** Rows. */
  train: number;
  /** Undefined: there is no such split. */
  eval: number | undefined;
  /** Of text, about. */
  bytesPerRow: number;
  /** Where this is known from, in words. */
  how: string;
}

/** Of files that say nothing of their rows; and what their text takes when it is unpacked. */
const usualRow = 1000;
const packed = 3;

/**
 * Asks the Hub how large a dataset is: by `dataset_info` in its README.md, else by the size of its files. Fetches none of them.
 * @throws AdaptiveTrainerError as downloadDataset() does
 */
export async function datasetSize(
  name: string,
  location: DatasetLocation,
  options: DownloadDatasetOptions = {},
): Promise<DatasetSize> {
  const { snapshot, chosen } = await findDataset(name, location, options);
  const stated = statedSplits(await snapshot.read('README.md'), location.configName);
  const [train, evaluation] = [stated.get(location.trainSplit), stated.get(location.valSplit)];
  if (train !== undefined) {
    const { rows, bytes } = train;
    const rowsToEvaluate = chosen.eval && (evaluation?.rows ?? 0);
    const bytesPerRow = bytes > 0 && rows > 0 ? bytes / rows : usualRow;
    return { train: rows, eval: rowsToEvaluate, bytesPerRow, how: 'its README.md tells its rows' };
  }
  const rowsOf = (paths: readonly string[]) =>
    paths.reduce((sum, path) => {
      const times = /\.(parquet|arrow|gz|zst|bz2|xz)$/.test(path) ? packed : 1;
      return sum + Math.ceil((times * (snapshot.sizeOf(path) ?? 0)) / usualRow);
    }, 0);
  return {
    ...{ train: Math.max(1, rowsOf(chosen.train)), eval: chosen.eval && rowsOf(chosen.eval) },
    ...{ bytesPerRow: usualRow, how: 'the size of its files is all that is known' },
  };
}

/** Rows and bytes of each split of a configuration: the one named, `default`, or the only one. */
function statedSplits(
  readme: string | undefined,
  configName: string | null,
): Map<string, { rows: number; bytes: number }> {
  const info = frontMatterOf(readme)['dataset_info'];
  const all = (Array.isArray(info) ? info : [info]).filter(isPlainObject);
  const nameOf = (one: Record<string, unknown>) => one['config_name'] ?? 'default';
  const chosen =
    all.find((one) => nameOf(one) === (configName ?? 'default')) ?? (all.length === 1 ? all[0] : undefined);
  const splits: unknown[] = Array.isArray(chosen?.['splits']) ? chosen['splits'] : [];
  return new Map(
    splits.filter(isPlainObject).flatMap(({ name, num_examples: rows, num_bytes: bytes }) => {
      if (typeof name !== 'string' || !Number.isSafeInteger(rows)) return [];
      return [[name, { rows: rows as number, bytes: typeof bytes === 'number' ? bytes : 0 }]];
    }),
  );
}

function frontMatterOf(readme: string | undefined): Record<string, unknown> {
  try {
    return frontMatter(readme ?? '');
  } catch {
    return {}; // it was warned of where the files were looked for
  }
}

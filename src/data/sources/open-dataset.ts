import { stat } from 'node:fs/promises';
import { loadFileFunction } from '../../config/datasets/file-function.js';
import type { DatasetPlan } from '../../config/datasets/dataset-plan.js';
import type { DatasetSource, Sample } from './dataset-source.js';
import type { FetchHubDataset } from './fetch-hub-dataset.js';
import { locateDataset } from './locate-dataset.js';
import { readRows } from '../read/read-rows.js';

/**
 * Finds the rows of a dataset: in memory, on disk, or with `fetchHub` on the Hub.
 *
 * @throws AdaptiveTrainerError see `locateDataset`
 */
export async function openDataset(
  plan: DatasetPlan,
  onWarning: (message: string) => void,
  fetchHub?: FetchHubDataset,
): Promise<DatasetSource> {
  await loadFileFunction(plan.process);
  const { memory } = plan;
  if (memory !== null) {
    const evaluated = memory.eval ?? undefined;
    return {
      train: () => fromMemory(memory.train, 'train'),
      eval: evaluated && (() => fromMemory(evaluated, 'eval')),
      files: undefined,
    };
  }
  const files = await locateDataset(plan, onWarning, fetchHub);
  const evaluated = files.eval;
  return { train: () => fromFiles(files.train), eval: evaluated && (() => fromFiles(evaluated)), files };
}

async function* fromMemory(rows: readonly unknown[], split: string): AsyncGenerator<Sample> {
  for (const [index, value] of rows.entries()) {
    yield { value, index, where: `row ${index} of ${split}`, done: (index + 1) / rows.length };
  }
}

async function* fromFiles(paths: readonly string[]): AsyncGenerator<Sample> {
  const sizes = await Promise.all(paths.map(sizeOf));
  const total = Math.max(
    1,
    sizes.reduce((sum, size) => sum + size, 0),
  );
  let [index, before, inside] = [0, 0, 0];
  for (const [number, path] of paths.entries()) {
    for await (const row of readRows(path, (bytes) => (inside = bytes))) {
      const done = Math.min(1, (before + inside) / total);
      yield { ...row, index, where: `row ${index} (${row.where})`, done };
      index++;
    }
    [before, inside] = [before + sizes[number]!, 0];
  }
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0, // the reader will say that it is not there
  );
}

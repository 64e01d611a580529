import type { DatasetPlan } from './dataset-plan.js';
import type { DatasetSource, Sample } from './dataset-source.js';
import { locateDataset } from './locate-dataset.js';
import { readJsonl } from './read-jsonl.js';

/**
 * Finds the rows of a dataset, in memory or on disk.
 *
 * @throws AdaptiveTrainerError see `locateDataset`
 */
export async function openDataset(
  plan: DatasetPlan,
  onWarning: (message: string) => void,
): Promise<DatasetSource> {
  const { memory } = plan;
  if (memory !== undefined) {
    const evaluated = memory.eval ?? undefined;
    return {
      train: () => fromMemory(memory.train, 'train'),
      eval: evaluated && (() => fromMemory(evaluated, 'eval')),
    };
  }
  const files = await locateDataset(plan, onWarning);
  const evaluated = files.eval;
  return { train: () => fromFiles(files.train), eval: evaluated && (() => fromFiles(evaluated)) };
}

async function* fromMemory(rows: readonly unknown[], split: string): AsyncGenerator<Sample> {
  for (const [index, value] of rows.entries()) yield { value, index, where: `row ${index} of ${split}` };
}

async function* fromFiles(paths: readonly string[]): AsyncGenerator<Sample> {
  let index = 0;
  for (const path of paths) {
    for await (const row of readJsonl(path)) {
      yield { value: row.value, index, where: `row ${index} (${row.where})` };
      index++;
    }
  }
}

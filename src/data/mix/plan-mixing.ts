import { suggest } from '../../common/suggest.js';
import { datasetName } from '../../config/datasets/dataset-name.js';
import { AdaptiveTrainerError } from '../../errors.js';
import type { DatasetPlan } from '../../config/datasets/dataset-plan.js';
import { findDatasetKey } from '../../config/datasets/find-dataset-key.js';
import type { Mixing } from './mix-order.js';

/** How to mix datasets, as configured. */
export interface MixingOptions {
  /** `concat` (default): every row once. `interleave`: rows drawn by `mixingProbabilities` until `mixingStop`. */
  mixing?: Mixing['mode'] | undefined;
  /** For `interleave`, by dataset name: how likely each is to be drawn from; scaled to sum to 1. Default: equally. */
  mixingProbabilities?: Readonly<Record<string, number>> | null | undefined;
  /** For `interleave`: stop when one dataset is used up (`first_exhausted`, the default) or when all are. */
  mixingStop?: Mixing['stop'] | undefined;
}

/**
 * Finds the probability of each dataset.
 * @throws AdaptiveTrainerError `CONFIG_INVALID` when a dataset has none, or a name is none of a dataset
 */
export function planMixing(
  { mixing = 'concat', mixingProbabilities, mixingStop = 'first_exhausted' }: MixingOptions,
  plans: readonly Pick<DatasetPlan, 'name'>[],
): Mixing {
  const table = mixingProbabilities ?? Object.fromEntries(plans.map(({ name }) => [name, 1]));
  const names = plans.map(({ name }) => name);
  if (mixingProbabilities !== null && mixingProbabilities !== undefined) check(table, names, mixing);
  const weights = names.map((name) => table[findDatasetKey(table, name) ?? name] ?? 0);
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return { mode: mixing, probabilities: weights.map((weight) => weight / sum), stop: mixingStop };
}

function check(table: Readonly<Record<string, number>>, names: readonly string[], mode: string): void {
  const faults: string[] = [];
  if (mode !== 'interleave') {
    faults.push(`expected no mixingProbabilities with mixing "${mode}"; set mixing to "interleave"`);
  }
  for (const [key, value] of Object.entries(table)) {
    if (!names.includes(datasetName(key).name)) {
      const near = suggest(key, names);
      const hint = near === undefined ? '' : `; did you mean ${JSON.stringify(near)}?`;
      faults.push(`expected the name of a dataset, received ${JSON.stringify(key)}${hint}`);
    }
    if (!(Number.isFinite(value) && value > 0)) {
      faults.push(`expected a number greater than 0 for ${JSON.stringify(key)}, received ${String(value)}`);
    }
  }
  for (const name of names) {
    if (findDatasetKey(table, name) === undefined) {
      faults.push(`expected a number for ${JSON.stringify(name)}, received nothing`);
    }
  }
  if (faults.length === 0) return;
  throw new AdaptiveTrainerError(
    'CONFIG_INVALID',
    `The mixing of the datasets cannot be used:\n${faults.map((fault) => `  mixingProbabilities: ${fault}`).join('\n')}`,
    {
      details: {
        faults: faults.map((message) => ({ path: 'mixingProbabilities', code: 'INVALID', message })),
      },
    },
  );
}

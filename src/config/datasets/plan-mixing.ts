import { suggest } from '../../common/suggest.js';
import type { ConfigFault } from '../../common/config-fault.js';
import { throwFaults } from '../read/throw-faults.js';
import { datasetName } from './dataset-name.js';
import type { DatasetPlan } from './dataset-plan.js';
import { findDatasetKey } from './find-dataset-key.js';

/** How datasets are mixed into one training set. */
export interface Mixing {
  /**
   * `concat`: every row of every dataset once. `interleave`: each row is drawn from a dataset chosen at random,
   * until the stop rule says so.
   */
  mode: 'concat' | 'interleave';
  /** For `interleave`, per dataset in order: how likely each is to be drawn from. They sum to 1. */
  probabilities: readonly number[];
  /**
   * For `interleave`. `first_exhausted`: stop when one dataset has been used up; no row is there twice.
   * `all_exhausted`: stop when all have been; smaller ones begin anew, in another order.
   */
  stop: 'first_exhausted' | 'all_exhausted';
}

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
export function planMixing(options: MixingOptions, plans: readonly Pick<DatasetPlan, 'name'>[]): Mixing {
  const { mixing = 'concat', mixingProbabilities, mixingStop = 'first_exhausted' } = options;
  throwFaults(faultsOfMixing(options, plans));
  const names = plans.map(({ name }) => name);
  const table = mixingProbabilities ?? Object.fromEntries(names.map((name) => [name, 1]));
  const weights = names.map((name) => table[findDatasetKey(table, name) ?? name] ?? 0);
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return { mode: mixing, probabilities: weights.map((weight) => weight / sum), stop: mixingStop };
}

/**
 * What of `mixingProbabilities` does not fit the datasets.
 * @param path where the probabilities stand
 * @param spell a key in the user's spelling
 */
export function faultsOfMixing(
  { mixing = 'concat', mixingProbabilities: table }: MixingOptions,
  plans: readonly Pick<DatasetPlan, 'name'>[],
  path = 'mixingProbabilities',
  spell = (name: string) => name,
): ConfigFault[] {
  if (table === null || table === undefined) return [];
  const names = plans.map(({ name }) => name);
  const messages: string[] = [];
  if (mixing !== 'interleave') {
    messages.push(
      `expected no ${spell('mixingProbabilities')} with mixing "${mixing}"; set mixing to "interleave"`,
    );
  }
  for (const [key, value] of Object.entries(table)) {
    if (!names.includes(datasetName(key).name)) {
      const near = suggest(key, names);
      const hint = near === undefined ? '' : `; did you mean ${JSON.stringify(near)}?`;
      messages.push(`expected the name of a dataset, received ${JSON.stringify(key)}${hint}`);
    }
    if (!(Number.isFinite(value) && value > 0)) {
      messages.push(`expected a number greater than 0 for ${JSON.stringify(key)}, received ${String(value)}`);
    }
  }
  for (const name of names) {
    if (findDatasetKey(table, name) === undefined) {
      messages.push(`expected a number for ${JSON.stringify(name)}, received nothing`);
    }
  }
  return messages.map((message) => ({ path, code: 'INVALID', message }));
}

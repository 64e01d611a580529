import type { ConfigFault } from '../../common/config-fault.js';
import type { TrainingConfig } from '../../config/schema/parsed-config.js';
import { AdaptiveTrainerError } from '../../errors.js';
import { matchWeights, type WeightNames } from '../../model/weight-patterns.js';
import { frozenNames } from './freezing.js';

/** What is wrong with the patterns of a configuration for a model with these weights; each path begins with its key. */
export function weightPatternFaults(
  config: Pick<TrainingConfig, 'freeze' | 'unfrozenParameters' | 'learningRateMultipliers'>,
  weights: WeightNames,
): ConfigFault[] {
  const multiplied = Object.keys(config.learningRateMultipliers ?? {});
  return [
    ...faultsOf(() => frozenNames(config, weights)),
    ...faultsOf(() => matchWeights(multiplied, weights, 'learningRateMultipliers')),
  ];
}

function faultsOf(work: () => unknown): readonly ConfigFault[] {
  try {
    work();
    return [];
  } catch (error) {
    if (!AdaptiveTrainerError.isInstance(error, 'CONFIG_INVALID')) throw error;
    return (error.details as { faults: ConfigFault[] }).faults;
  }
}

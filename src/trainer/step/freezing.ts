import type { TrainingConfig } from '../../config/schema/parsed-config.js';
import { AdaptiveTrainerError } from '../../errors.js';
import { matchWeights, type WeightNames } from '../../model/weight-patterns.js';

/**
 * The weights that a configuration freezes; undefined where it says nothing of it.
 * @throws AdaptiveTrainerError CONFIG_INVALID for a pattern that fits no weight, and where nothing is left to train
 */
export function frozenNames(
  { freeze, unfrozenParameters }: Pick<TrainingConfig, 'freeze' | 'unfrozenParameters'>,
  weights: WeightNames,
): string[] | undefined {
  if (freeze === null && unfrozenParameters === null) return undefined;
  if (unfrozenParameters !== null) {
    const trained = new Set(matchWeights(unfrozenParameters, weights, 'unfrozenParameters').flat());
    return weights.names.filter((name) => !trained.has(name));
  }
  const frozen = new Set(matchWeights(freeze!, weights, 'freeze').flat());
  if (weights.names.some((name) => !frozen.has(name))) return [...frozen];
  const message = 'Expected weights that are left to train, but freeze fits all of them.';
  const fault = { path: 'freeze', code: 'INVALID', message } as const;
  throw new AdaptiveTrainerError('CONFIG_INVALID', message, { details: { faults: [fault] } });
}

import { AdaptiveTrainerError } from '../errors.js';
import type { CausalLM } from '../model/causal-lm.js';
import type { Ranks } from '../ranks/ranks.js';

const inTraining = new WeakSet<CausalLM>();

/**
 * Runs a training of a model, one at a time: two would mix their gradients.
 * @throws AdaptiveTrainerError INVALID_INPUT while another is under way
 */
export async function whileTraining<T>(model: CausalLM, training: () => Promise<T>): Promise<T> {
  if (inTraining.has(model)) {
    const message =
      'Expected a model that nothing trains, found a train() of it under way. Wait for its end (await trainer.train()), or open the model a second time.';
    throw new AdaptiveTrainerError('INVALID_INPUT', message);
  }
  inTraining.add(model);
  try {
    return await training();
  } finally {
    inTraining.delete(model);
  }
}

let isRankTraining = false;

/**
 * Runs a training of several ranks, one at a time in each process: they would mix what they tell each other.
 * @throws AdaptiveTrainerError INVALID_INPUT while another is under way
 */
export async function whileRanksTrain<T>(ranks: Ranks, training: () => Promise<T>): Promise<T> {
  if (ranks.size === 1) return training();
  if (isRankTraining) {
    const message =
      'Expected one train() at a time with several ranks, found another under way in this process. Wait for its end (await trainer.train()).';
    throw new AdaptiveTrainerError('INVALID_INPUT', message);
  }
  isRankTraining = true;
  try {
    return await training();
  } finally {
    isRankTraining = false;
  }
}

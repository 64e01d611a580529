import type { AdaptiveState, AdaptiveSums } from '../engine/addon.js';
import type { TokenStatistics } from '../events/training-event.js';

/** The counts of a batch under the names of the Python package; α and β are the values that the loss used. */
export function lossStatistics(sums: AdaptiveSums, used: AdaptiveState): TokenStatistics {
  return {
    total_tokens: sums.total,
    already_correct: sums.correct,
    in_top_k: sums.inTopK,
    outside_top_k: sums.total - sums.inTopK,
    training_mask: sums.trained,
    attention_bias_alpha: used.alpha,
    coherence_bias_beta: used.beta,
  };
}

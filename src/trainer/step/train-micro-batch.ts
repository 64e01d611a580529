import { AdaptiveTrainerError } from '../../errors.js';
import type { CausalLM } from '../../model/causal-lm.js';
import type { LossReport, LossRequest, MicroBatch } from '../../engine/addon.js';
import { tokenStatistics, type TokenBatch, type TokenStatisticsArrays } from './token-statistics.js';

export type TokenWeights = (statistics: TokenStatisticsArrays, batch: TokenBatch) => Float32Array | undefined;

/**
 * Forward and backward of one micro-batch; its gradients are gathered in the engine. Without `tokenWeights` that is one call
 * of the engine, with it there is a stop in between.
 */
export async function trainMicroBatch(
  model: CausalLM,
  batch: MicroBatch,
  request: LossRequest,
  tokenWeights: TokenWeights | undefined,
): Promise<LossReport> {
  if (tokenWeights === undefined)
    return model.call((native) => native.trainMicroBatch({ ...batch, ...request }));
  const { tokens, ...report } = await model.call((native) => native.forward({ ...batch, ...request }));
  const weights = tokenWeights(...tokenStatistics(tokens, batch));
  if (weights === undefined) {
    await model.call((native) => native.backward({}));
    return report;
  }
  checkTokenWeights(weights, tokens.nll.length);
  await model.call((native) => native.backward({ weights: weights.map((weight) => weight * request.scale) }));
  const loss = weights.reduce((sum, weight, i) => sum + weight * tokens.nll[i]!, 0);
  // α and β belong to the adaptive loss, which was not used.
  return { ...report, loss, state: request.state };
}

function checkTokenWeights(weights: unknown, tokens: number): void {
  if (weights instanceof Float32Array && weights.length === tokens && weights.every(Number.isFinite)) return;
  const found =
    weights instanceof Float32Array
      ? weights.length === tokens
        ? 'a value that is not finite'
        : `${weights.length} values`
      : Object.prototype.toString.call(weights);
  throw new AdaptiveTrainerError(
    'INVALID_INPUT',
    `Expected tokenWeights to return a Float32Array of ${tokens} finite weights, one per labelled token, found ${found}.`,
  );
}

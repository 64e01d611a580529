import type { LossReport, LossRequest, MicroBatch, RetainedReport } from '../../engine/addon.js';
import { AdaptiveTrainerError } from '../../errors.js';
import type { TrainingRow } from '../../events/training-row.js';
import { lossStatistics } from '../../loss/loss-statistics.js';
import type { CausalLM } from '../../model/causal-lm.js';
import { labelledTokens, microBatch } from '../batches/micro-batch.js';
import type { BlockKeeper } from '../memory/block-keeper.js';
import type { MicroBatchPlace, MicroBatchReport } from './take-step.js';
import { tokenStatistics, type TokenBatch, type TokenStatisticsArrays } from './token-statistics.js';

export type TokenWeights = (statistics: TokenStatisticsArrays, batch: TokenBatch) => Float32Array | undefined;

/** Of a loss, what the configuration says. */
export type LossSettings = Pick<LossRequest, 'loss' | 'topK' | 'confidence' | 'labelSmoothing'>;

export interface MicroBatchRequest extends MicroBatchPlace {
  loss: LossSettings;
  /** Of dropout and noise. */
  seed: number;
  /** Optimizer step, from 1. */
  step: number;
  /** undefined: the configured loss. */
  tokenWeights: TokenWeights | undefined;
  /** Chooses the blocks that are not recomputed; undefined: the setting says. */
  keeper: BlockKeeper | undefined;
}

/** Forward and backward of one micro-batch. Its gradients, times its share, are added to those in the engine. */
export async function trainMicroBatch(
  model: CausalLM,
  rows: readonly TrainingRow[],
  request: MicroBatchRequest,
): Promise<MicroBatchReport> {
  const { index, share: scale, state, seed, step } = request;
  const batch = { ...microBatch(rows, request.retained), dropout: { seed, step, microBatch: index } };
  const retainedTokens = (request.retained?.ids ?? []).reduce((sum, ids) => sum + ids.length, 0);
  const tokens = batch.inputIds.length - retainedTokens;
  const size = { tokens, labelledTokens: labelledTokens(rows), retainedTokens };
  const kept = await request.keeper?.keep(size, step);
  const engineRequest = { ...batch, ...request.loss, state, scale, ...(kept && { kept }) };
  const report =
    request.tokenWeights === undefined
      ? await model.call((native) => native.trainMicroBatch(engineRequest))
      : await trainWeighted(model, engineRequest, request.tokenWeights);
  const { loss, retained, keptBlocks } = report;
  request.keeper?.kept(size, keptBlocks);
  const found = { loss, state: report.state, statistics: lossStatistics(report.sums, state) };
  return retained.tokens > 0 ? { ...found, retained } : found;
}

/** The same with the weights of `tokenWeights` between the forward and the backward pass. */
async function trainWeighted(
  model: CausalLM,
  request: MicroBatch & LossRequest,
  tokenWeights: TokenWeights,
): Promise<LossReport & { retained: RetainedReport; keptBlocks: number }> {
  const { tokens: perToken, ...report } = await model.call((native) => native.forward(request));
  const weights = tokenWeights(...tokenStatistics(perToken, request));
  if (weights === undefined) {
    return { ...report, retained: await model.call((native) => native.backward({})) };
  }
  checkTokenWeights(weights, perToken.nll.length);
  const scaled = weights.map((weight) => weight * request.scale);
  const retained = await model.call((native) => native.backward({ weights: scaled }));
  const nll = perToken.smoothed ?? perToken.nll;
  const loss = weights.reduce((sum, weight, i) => sum + weight * nll[i]!, 0);
  // α and β belong to the adaptive loss, which was not used.
  return { ...report, loss, state: request.state, retained };
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

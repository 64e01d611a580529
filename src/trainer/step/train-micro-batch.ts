import type { LossReport, LossRequest, MicroBatch, RetainedReport } from '../../engine/addon.js';
import { AdaptiveTrainerError } from '../../errors.js';
import type { TrainingRow } from '../../events/training-row.js';
import { lossStatistics } from '../../loss/loss-statistics.js';
import type { CausalLM } from '../../model/causal-lm.js';
import { oneRank, type Ranks } from '../../ranks/ranks.js';
import { checkSameRows } from '../batches/check-same-rows.js';
import { labelledTokens, microBatch } from '../batches/micro-batch.js';
import { divideRows, rankPart } from '../batches/rank-part.js';
import type { BlockKeeper } from '../memory/block-keeper.js';
import type { RetainedBatch } from '../retention/retained-batch.js';
import { gatherTokens } from './gather-tokens.js';
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

/**
 * Forward and backward of one micro-batch, of which this rank takes its part. Its gradients, times its share, are added to
 * those in the engine; those of the last one of a window are summed over ranks meanwhile. The report is of the whole.
 */
export async function trainMicroBatch(
  model: CausalLM,
  rows: readonly TrainingRow[],
  request: MicroBatchRequest,
  ranks: Ranks = oneRank,
): Promise<MicroBatchReport> {
  const { index, share: scale, state, seed, step, isLast: endsWindow } = request;
  const part = rankPart(rows, ranks);
  const ownRetained = retainedPart(request.retained, ranks);
  // No two ranks draw the same.
  const dropout = { seed, step, microBatch: index * ranks.size + ranks.rank };
  const batch = { ...microBatch(part.rows, ownRetained), dropout, endsWindow };
  const retainedTokens = (ownRetained?.ids ?? []).reduce((sum, ids) => sum + ids.length, 0);
  const tokens = batch.inputIds.length - retainedTokens;
  const size = { tokens, labelledTokens: labelledTokens(part.rows), rows: part.rows.length, retainedTokens };
  const keeper = batch.inputIds.length > 0 ? request.keeper : undefined;
  const kept = await keeper?.keep(size, step);
  const engineRequest = { ...batch, ...request.loss, state, scale, ...(kept && { kept }) };
  const report =
    request.tokenWeights === undefined
      ? await model.call((native) => native.trainMicroBatch(engineRequest))
      : await trainWeighted(model, engineRequest, request.tokenWeights, { rows, places: part.places, ranks });
  const { loss, retained, keptBlocks } = report;
  keeper?.kept(size, keptBlocks);
  checkSameRows(rows, report.sums.total, ranks);
  const found = { loss, state: report.state, statistics: lossStatistics(report.sums, state) };
  return retained.tokens > 0 ? { ...found, retained } : found;
}

function retainedPart(retained: RetainedBatch | undefined, { rank, size }: Ranks): RetainedBatch | undefined {
  if (retained === undefined || size === 1) return retained;
  const own = divideRows(
    retained.ids.map(({ length }) => length),
    size,
  )[rank]!;
  if (own.length === 0) return undefined;
  const ids = own.map((place) => retained.ids[place]!);
  return { ...retained, ids, rows: Int32Array.from(own, (place) => retained.rows[place]!) };
}

/** The same with the weights of `tokenWeights` between the forward and the backward pass: it sees the tokens of all ranks. */
async function trainWeighted(
  model: CausalLM,
  request: MicroBatch & LossRequest,
  tokenWeights: TokenWeights,
  { rows, places, ranks }: { rows: readonly TrainingRow[]; places: readonly number[]; ranks: Ranks },
): Promise<LossReport & { retained: RetainedReport; keptBlocks: number }> {
  const { tokens, ...report } = await model.call((native) => native.forward(request));
  checkSameRows(rows, report.sums.total, ranks);
  const isSmoothed = (request.labelSmoothing ?? 0) > 0;
  const { whole, own } =
    ranks.size === 1
      ? { whole: tokens, own: undefined }
      : await gatherTokens(rows, places, tokens, ranks, isSmoothed);
  const weights = tokenWeights(...tokenStatistics(whole, rows));
  if (weights === undefined) {
    return { ...report, retained: await model.call((native) => native.backward({})) };
  }
  checkTokenWeights(weights, whole.nll.length);
  const scaled = (own === undefined ? weights : Float32Array.from(own, (place) => weights[place]!)).map(
    (weight) => weight * request.scale,
  );
  const retained = await model.call((native) => native.backward({ weights: scaled }));
  const nll = whole.smoothed ?? whole.nll;
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

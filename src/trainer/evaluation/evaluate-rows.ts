import type { AdaptiveState, LossRequest, TokenArrays } from '../../engine/addon.js';
import type { CausalLM } from '../../model/causal-lm.js';
import type { TrainingRow } from '../../events/training-row.js';
import type { EvaluateEvent } from '../../events/training-event.js';
import { checkRow } from '../batches/check-row.js';
import { chunked } from '../../common/chunked.js';
import { isRowArray } from '../batches/is-row-array.js';
import { noRows, onePass } from '../batches/one-pass.js';
import { Evaluation } from './evaluation.js';
import { microBatch } from '../batches/micro-batch.js';
import { oneRank, type Ranks } from '../../ranks/ranks.js';
import { checkSameRows } from '../batches/check-same-rows.js';
import { rankPart } from '../batches/rank-part.js';
import { gatherTokens } from '../step/gather-tokens.js';
import type { TrainingRows } from '../batches/training-rows.js';

/** What an evaluation finds. */
export type EvaluationReport = Omit<EvaluateEvent, 'type' | 'step' | 'epoch'>;

/**
 * Loss, accuracy and token shares on `rows`; moves nothing. Ranks take `batchSize` rows each at a time, and find the same.
 * @param request the loss to report beside cross-entropy, with α and β as they stand
 * @param onBatch told what was found of each batch
 * @throws AdaptiveTrainerError DATASET_INVALID for a row that cannot be evaluated, and where no row comes
 */
export async function evaluateRows(
  model: CausalLM,
  rows: TrainingRows,
  batchSize: number,
  request: LossRequest & { state: AdaptiveState },
  onBatch: (batch: readonly TrainingRow[], tokens: TokenArrays) => void | Promise<void> = () => {},
  ranks: Ranks = oneRank,
): Promise<EvaluationReport> {
  const started = performance.now();
  const evaluation = new Evaluation(request.topK);
  let lossSum = 0;
  let index = 0;
  for await (const batch of chunked(isRowArray(rows) ? rows : onePass(rows), batchSize * ranks.size)) {
    for (const row of batch) checkRow(row, { dataset: 'evalDataset', row: index++ }, model);
    const { rows: own, places } = rankPart(batch, ranks);
    const across = ranks.size > 1 ? { acrossRanks: true } : {};
    const report = await model.call((native) =>
      native.evaluate({ ...microBatch(own), ...request, ...across }),
    );
    checkSameRows(batch, report.sums.total, ranks);
    const isSmoothed = (request.labelSmoothing ?? 0) > 0;
    const tokens =
      ranks.size === 1
        ? report.tokens
        : (await gatherTokens(batch, places, report.tokens, ranks, isSmoothed)).whole;
    evaluation.add(batch, tokens);
    await onBatch(batch, tokens);
    lossSum += report.loss * report.sums.total;
  }
  if (index === 0) throw noRows(rows, 'evalDataset', 'an evaluation');
  const metrics = evaluation.metrics();
  return {
    ...metrics,
    ...(request.loss === 'adaptive' ? { adaptiveLoss: lossSum / metrics.labelledTokens } : {}),
    seconds: (performance.now() - started) / 1000,
    bySource: evaluation.bySource(),
    byStyle: evaluation.byStyle(),
  };
}

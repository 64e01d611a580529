import type { TrainingRow } from '../../events/training-row.js';
import { AdaptiveTrainerError } from '../../errors.js';
import { lossStatistics } from '../../loss/loss-statistics.js';
import type { CausalLM } from '../../model/causal-lm.js';
import type { LossRequest, OptimizerReport } from '../../engine/addon.js';
import type { TokenStatistics } from '../../events/training-event.js';
import { checkRow } from '../batches/check-row.js';
import { labelledTokens, microBatch } from '../batches/micro-batch.js';
import { addStatistics } from './step-log.js';
import { trainMicroBatch, type TokenWeights } from './train-micro-batch.js';

export interface StepRequest {
  /** Counted from 1, for messages. */
  step: number;
  /** The micro-batches of one optimizer step. */
  window: readonly TrainingRow[][];
  /** `state`: before the first micro-batch. */
  loss: Omit<LossRequest, 'scale'>;
  tokenWeights: TokenWeights | undefined;
  learningRate: number;
  maxGradNorm: number;
  /** Of dropout. */
  seed: number;
}

export interface StepReport extends OptimizerReport {
  loss: number;
  statistics: TokenStatistics;
  /** α and β after the last micro-batch. */
  state: LossRequest['state'];
  tokens: number;
  labelledTokens: number;
}

/**
 * One optimizer step over a window of micro-batches.
 * @throws AdaptiveTrainerError DATASET_INVALID for rows that cannot be trained on, LOSS_NOT_FINITE
 */
export async function takeStep(model: CausalLM, request: StepRequest): Promise<StepReport> {
  const { step, window, tokenWeights, learningRate, maxGradNorm } = request;
  // Rows of an array have been checked, but trainBatches may be overridden and a stream brings any.
  const rows = window.flat();
  if (rows.length === 0) {
    const message = `Expected at least one row in the micro-batches of step ${step}, found none.`;
    throw new AdaptiveTrainerError('DATASET_INVALID', message);
  }
  rows.forEach((row, i) => checkRow(row, i, `step ${step}`, model.vocabSize));
  const counts = window.map(labelledTokens);
  const labelled = counts.reduce((sum, count) => sum + count, 0);
  let { state } = request.loss;
  let loss = 0;
  let statistics: TokenStatistics | undefined;
  for (const [i, microRows] of window.entries()) {
    // Each micro-batch counts by its share of the window's labelled tokens, so that a window is one large batch.
    const scale = counts[i]! / labelled;
    const report = await trainMicroBatch(
      model,
      { ...microBatch(microRows), dropout: { seed: request.seed, step, microBatch: i } },
      { ...request.loss, state, scale },
      tokenWeights,
    );
    loss += scale * report.loss;
    statistics = addStatistics(statistics, lossStatistics(report.sums, state));
    state = report.state;
  }
  const report = await model.call((native) => native.optimizerStep({ learningRate, maxGradNorm }));
  const tokens = rows.reduce((sum, row) => sum + row.inputIds.length, 0);
  return { ...report, loss, statistics: statistics!, state, tokens, labelledTokens: labelled };
}

import type { AdaptiveState, OptimizerReport } from '../../engine/addon.js';
import type { TokenStatistics } from '../../events/training-event.js';
import type { TrainingRow } from '../../events/training-row.js';
import { labelledTokens } from '../batches/micro-batch.js';
import { addStatistics } from './step-log.js';

/** Where a micro-batch stands in its window, the micro-batches of one optimizer step. */
export interface MicroBatchPlace {
  /** From 0. */
  index: number;
  /** Its share of the window's labelled tokens: what its gradients are multiplied with, so that a window is one large batch. */
  share: number;
  /** α and β before it. */
  state: AdaptiveState;
}

export interface MicroBatchReport {
  /** Mean over the labelled tokens of the micro-batch, not multiplied with its share. */
  loss: number;
  statistics: TokenStatistics;
  /** α and β after it. */
  state: AdaptiveState;
}

/** What one optimizer step did. */
export interface StepReport extends OptimizerReport {
  loss: number;
  statistics: TokenStatistics;
  /** α and β after the last micro-batch. */
  state: AdaptiveState;
  /** Input tokens, prompts included. */
  tokens: number;
  labelledTokens: number;
}

/** The two things that a step is made of. */
export interface StepParts {
  /** Forward and backward; the gradients are added up in the engine. */
  trainMicroBatch: (rows: TrainingRow[], place: MicroBatchPlace) => Promise<MicroBatchReport>;
  /** Clips the gradients, moves the weights, and forgets the gradients. */
  optimizerStep: () => Promise<OptimizerReport>;
}

/**
 * One optimizer step over a window of micro-batches.
 * @param state α and β before it
 */
export async function takeStep(
  window: readonly TrainingRow[][],
  state: AdaptiveState,
  { trainMicroBatch, optimizerStep }: StepParts,
): Promise<StepReport> {
  const counts = window.map(labelledTokens);
  const labelled = counts.reduce((sum, count) => sum + count, 0);
  let loss = 0;
  let statistics: TokenStatistics | undefined;
  for (const [index, rows] of window.entries()) {
    const share = counts[index]! / labelled;
    const report = await trainMicroBatch(rows, { index, share, state });
    loss += share * report.loss;
    statistics = addStatistics(statistics, report.statistics);
    state = report.state;
  }
  const report = await optimizerStep();
  const tokens = window.flat().reduce((sum, row) => sum + row.inputIds.length, 0);
  return { ...report, loss, statistics: statistics!, state, tokens, labelledTokens: labelled };
}

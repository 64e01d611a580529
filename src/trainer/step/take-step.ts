import type { AdaptiveState, OptimizerReport, RetainedReport } from '../../engine/addon.js';
import type { TokenStatistics } from '../../events/training-event.js';
import type { TrainingRow } from '../../events/training-row.js';
import { labelledTokens } from '../batches/micro-batch.js';
import type { RetainedBatch } from '../retention/retained-batch.js';
import type { RetentionReport } from '../retention/retention-report.js';
import { addStatistics } from './step-log.js';

/** Where a micro-batch stands in its window, the micro-batches of one optimizer step. */
export interface MicroBatchPlace {
  /** From 0. */
  index: number;
  /** Whether it is the last one of its window: several ranks sum their gradients while it is worked out. */
  isLast: boolean;
  /** Its share of the window's labelled tokens: what its gradients are multiplied with, so that a window is one large batch. */
  share: number;
  /** α and β before it. */
  state: AdaptiveState;
  /** Rows beside its own that hold the model to its base; they take no part in the loss. undefined: none. */
  retained?: RetainedBatch | undefined;
}

export interface MicroBatchReport {
  /** Mean over the labelled tokens of the micro-batch, not multiplied with its share. */
  loss: number;
  statistics: TokenStatistics;
  /** α and β after it. */
  state: AdaptiveState;
  /** What was found on its retained rows; absent without any. */
  retained?: RetainedReport;
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
  /** What was found on the retained rows; absent without any. */
  retained?: RetainedReport;
  /** What the run made of that. */
  retention?: RetentionReport;
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
 * @param retained beside each micro-batch
 */
export async function takeStep(
  window: readonly TrainingRow[][],
  state: AdaptiveState,
  { trainMicroBatch, optimizerStep }: StepParts,
  retained: readonly (RetainedBatch | undefined)[] = [],
): Promise<StepReport> {
  const counts = window.map(labelledTokens);
  const labelled = counts.reduce((sum, count) => sum + count, 0);
  let loss = 0;
  let statistics: TokenStatistics | undefined;
  const found = { divergence: 0, tokens: 0 };
  for (const [index, rows] of window.entries()) {
    const share = counts[index]! / labelled;
    const report = await trainMicroBatch(rows, {
      ...{ index, isLast: index === window.length - 1 },
      ...{ share, state, retained: retained[index] },
    });
    loss += share * report.loss;
    statistics = addStatistics(statistics, report.statistics);
    state = report.state;
    found.divergence += report.retained?.divergence ?? 0;
    found.tokens += report.retained?.tokens ?? 0;
  }
  const report = await optimizerStep();
  const tokens = window.flat().reduce((sum, row) => sum + row.inputIds.length, 0);
  const whole = { ...report, loss, statistics: statistics!, state, tokens, labelledTokens: labelled };
  return found.tokens > 0 ? { ...whole, retained: found } : whole;
}

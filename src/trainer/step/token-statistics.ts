import type { TokenArrays } from '../../engine/addon.js';
import type { LearningStyle } from '../../events/learning-style.js';
import type { TrainingRow } from '../../events/training-row.js';

/** What the model predicts for the labelled tokens of a micro-batch, in order: each array is [labelled tokens]. */
export interface TokenStatisticsArrays {
  /** −log p(label), nats. */
  nll: Float32Array;
  /** How many tokens are likelier than the label; 0: the model's first choice. */
  rank: Int32Array;
  /** Id of the model's first choice. */
  predicted: Int32Array;
  /** −log p(first choice), nats. */
  topNll: Float32Array;
  /** Of the whole distribution, nats. */
  entropy: Float32Array;
  /** p(label), 0 to 1. */
  confidence: Float32Array;
}

/** The labelled tokens in the same order: each array is [labelled tokens]. */
export interface TokenBatch {
  /** The id to predict. */
  labels: Int32Array;
  /** The row of the micro-batch it belongs to. */
  rows: Int32Array;
  /** The learning style of that row. */
  learningStyles: LearningStyle[];
}

/** The two arguments of `tokenWeights`. */
export function tokenStatistics(
  perToken: TokenArrays,
  batch: readonly TrainingRow[],
): [TokenStatisticsArrays, TokenBatch] {
  const { nll, rank, predicted, topNll, entropy, labels, rows } = perToken;
  return [
    { nll, rank, predicted, topNll, entropy, confidence: nll.map((value) => Math.exp(-value)) },
    { labels, rows, learningStyles: Array.from(rows, (row) => batch[row]!.learningStyle) },
  ];
}

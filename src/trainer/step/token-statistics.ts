import { learningStyles, type LearningStyle } from '../../events/learning-style.js';
import type { MicroBatch, TokenArrays } from '../../engine/addon.js';

/** What the model makes of each labelled token of a micro-batch, in order. */
export interface TokenStatisticsArrays {
  /** −log p(label), nats. */
  nll: Float32Array;
  /** How many tokens are likelier than the label; 0: the model's first choice. */
  rank: Int32Array;
  /** The model's first choice. */
  predicted: Int32Array;
  /** −log p(first choice), nats. */
  topNll: Float32Array;
  /** Of the whole distribution, nats. */
  entropy: Float32Array;
  /** p(label), 0 to 1. */
  confidence: Float32Array;
}

/** What each labelled token is, in the same order. */
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
  batch: MicroBatch,
): [TokenStatisticsArrays, TokenBatch] {
  const { nll, rank, predicted, topNll, entropy, labels, rows } = perToken;
  return [
    { nll, rank, predicted, topNll, entropy, confidence: nll.map((value) => Math.exp(-value)) },
    { labels, rows, learningStyles: Array.from(rows, (row) => learningStyles[batch.styles[row]!]!) },
  ];
}

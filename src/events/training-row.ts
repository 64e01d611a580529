import type { LearningStyle } from './learning-style.js';

/** One sequence to train on. */
export interface TrainingRow {
  /** Token ids, [tokens]. */
  inputIds: Int32Array | number[];
  /** [tokens], lined up with `inputIds` (the loss shifts them); -100 marks a token that is not trained. */
  labels: Int32Array | number[];
  learningStyle: LearningStyle;
  /** Name of the dataset the row came from. */
  source?: string;
}

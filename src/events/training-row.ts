import type { LearningStyle } from './learning-style.js';

/** One sequence to train on. `labels` line up with `inputIds` (the loss shifts them); -100 marks a token that is not trained. */
export interface TrainingRow {
  inputIds: Int32Array | number[];
  labels: Int32Array | number[];
  learningStyle: LearningStyle;
  /** Name of the dataset the row came from. */
  source?: string;
}

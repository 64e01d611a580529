import type { LearningStyle } from './learning-style.js';
import type { Comparison, GroupNumbers, InspectedSet, Interval } from './token-record.js';
import type { EvaluationMetrics } from './training-event.js';

/** What a model makes of the rows of one dataset. */
export interface EvaluatedGroup extends GroupNumbers {
  name: string;
  set: InspectedSet;
  /** Absent for texts that are to be kept. */
  style?: LearningStyle;
  rows: number;
  /** Trained tokens of these rows; of texts that are to be kept, all but the first of each. */
  tokens: number;
  /** Mean nll per token, nats, with its 95 % interval. */
  nllInterval: Interval;
  /** Share of first choices, with its 95 % interval. */
  correctInterval: Interval;
}

/** What `evaluateModel` finds. */
export interface EvalReport {
  kind: 'eval';
  /** The model, as it was named. */
  model: string;
  topK: number;
  /** Held-out rows that were evaluated, and that there are. */
  rows: number;
  rowsInAll: number;
  /** The numbers that an evaluation of a run prints, over all held-out rows. */
  metrics: EvaluationMetrics & { adaptiveLoss?: number };
  bySource: Record<string, EvaluationMetrics>;
  byStyle: Partial<Record<LearningStyle, EvaluationMetrics>>;
  /** By dataset with intervals, the held-out ones first, then texts that are to be kept. */
  groups: EvaluatedGroup[];
  /** The model beside another, which is then `before`. */
  against?: { model: string; comparison: Comparison };
  /** How long evaluating took; reading the datasets and opening models are left out. */
  seconds: number;
}

import type { LearningStyle } from './learning-style.js';

/** A row that could not be used. */
export interface BadRow {
  /** `row 12 (rows.jsonl line 13)` */
  where: string;
  reason: string;
}

/** How the rows of one dataset were used. Counts are of rows, over its training and its validation part, unless said otherwise. */
export interface DatasetReport {
  /** The name as configured, without its `:|:K`; where it stands several times in a style, with what differs. */
  name: string;
  style: LearningStyle;
  /** Rows in the mixed training set. */
  train: number;
  /** Rows in the evaluation set. */
  eval: number;
  /** Rows left out because they have more than `maxLengthToken` tokens. */
  droppedTooLong: number;
  /** Rows left out because no token of theirs would be trained. */
  droppedNoTrainedToken: number;
  /** Rows for which the processing function returned null. */
  skippedByFunction: number;
  /** Rows left out because they could not be used, where `onBadRow` is `skip`. */
  skippedBad: number;
  /** The first ten of them. */
  badRows: BadRow[];
  /** Columns with text or lists that no row shape reads. */
  ignoredColumns: string[];
  /** K of `name:|:K` where it left training rows out, else null. */
  trimmedTo: number | null;
  /** Where the evaluation rows come from: the dataset's own split, rows held out of its training rows, or none. */
  evalFrom: 'split' | 'held out' | 'none';
  /** Tokens of the training rows. */
  tokens: number;
  /** Those of them that are trained. */
  trainedTokens: number;
  /** The system prompt its rows got; empty: none. */
  systemPrompt: string;
}

/** How far the work on one part of a dataset is. */
export interface MixProgress {
  dataset: string;
  style: LearningStyle;
  split: 'train' | 'eval';
  /** Rows read so far. */
  rows: number;
  /** How much of the part is done, about, from 0 to 1. */
  done: number;
  /** Whether its tokens were in the cache. */
  isCached: boolean;
}

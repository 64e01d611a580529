import type { LearningStyle } from './learning-style.js';

/** A row as it is shown: the end of what comes before its trained tokens, and these. */
export interface RowExcerpt {
  prompt: string;
  answer: string;
  /** Mean nll per trained token, nats; absent where the row was not judged. */
  nll?: number;
}

/** Some rows of a dataset that have something in common. */
export interface RowFinding {
  rows: number;
  /** Their share of the rows that were looked at for it, 0 to 1. */
  share: number;
  /** A few of them. */
  examples: RowExcerpt[];
}

/** Rows that are there more than once. `near`: the same but for case, punctuation and spaces, or long and of 8 in 10 the same runs of words. */
export interface Duplicates {
  /** Rows that were looked at. */
  rows: number;
  /** Training rows that repeat an earlier one. */
  exact: RowFinding;
  near: RowFinding;
  /** Evaluation rows that stand among the training rows, of any dataset, too. */
  evalRows: number;
  leaked: RowFinding;
  leakedNear: RowFinding;
}

/** What would serve a dataset, and why. */
export interface Suggestion {
  style: LearningStyle;
  /** null: it plays no part. */
  topK: number | null;
  /** `ce` where the adaptive loss is not what serves this data. */
  loss: 'adaptive' | 'ce';
  /** Sentences, the most important one first. */
  reasons: string[];
  /** Whether it is what the configuration says. */
  isConfigured: boolean;
}

/** The base model over one dataset before any training. */
export interface InspectedDataset {
  name: string;
  /** As configured. */
  style: LearningStyle;
  trainRows: number;
  evalRows: number;
  /** Training rows that the model judged, and their trained tokens. */
  judgedRows: number;
  judgedTokens: number;
  /** Mean per trained token, nats. */
  nll: number;
  perplexity: number;
  /** Share of the trained tokens that are among the model's first k choices, for k of 1, 2, 4, 8, 16, 32. */
  inTop: { k: number; share: number }[];
  /** Mean trained tokens of a row. */
  answerTokens: number;
  /** Different answers among the judged rows. */
  answers: number;
  /** Judged rows that are trained from their first token on: text without a prompt. */
  plainRows: number;
  /** Rows all of whose trained tokens are the model's first choice. */
  known: RowFinding;
  /** Rows that the model finds far less likely than the rest, or than chance. */
  noise: RowFinding;
  /** Rows whose prompt stands elsewhere in the dataset with another answer. */
  contradicted: RowFinding;
  duplicates: Duplicates;
  suggestion: Suggestion;
}

/** What `inspectDatasets` finds. */
export interface InspectReport {
  kind: 'inspect';
  /** The model, as it was named. */
  model: string;
  /** As configured. */
  loss: string;
  topK: number;
  datasets: InspectedDataset[];
  /** What to say of all of them together. */
  notes: string[];
  /** How long judging took; reading the datasets and opening the model are left out. */
  seconds: number;
}

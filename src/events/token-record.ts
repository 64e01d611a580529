import type { ChatMessage } from './chat-message.js';
import type { LearningStyle } from './learning-style.js';

/** Held-out rows of the datasets, or text that the model is to keep. */
export type InspectedSet = 'eval' | 'retention';

/** One held-out or guarded row as the model saw it. */
export interface InspectedRow {
  set: InspectedSet;
  /** The name of its source, as in the datasets report. */
  dataset: string;
  style: LearningStyle;
  /** Its number within its set, the same before and after, from 0. */
  row: number;
  /**
   * The text of every token of the row; joined they are the row's text. Where a character is spelled by several tokens, the first
   * of them has it, the others are empty.
   */
  pieces: string[];
  /** Indices into `pieces` of the tokens that are trained. */
  trained: number[];
}

/** 0: the model's first choice; 1: among its first `topK`, but not first; 2: outside them. */
export type TokenOutcome = 0 | 1 | 2;

/** What one model makes of the trained tokens of a row; each list is parallel to its `trained`. */
export interface TokenJudgements {
  set: InspectedSet;
  row: number;
  outcome: TokenOutcome[];
  /** That the model gives the token, 0 to 1. */
  probability: number[];
  /** From 1: one more than the number of tokens that the model finds more likely. */
  rank: number[];
  /** Nats. */
  nll: number[];
  /** The model's own first choices, best first: text and probability. Up to five. */
  choices: [text: string, probability: number][][];
}

/** A number with its 95 % interval, by bootstrap over rows. */
export interface Interval {
  value: number;
  low: number;
  high: number;
}

/** What one model makes of a group of rows. */
export interface GroupNumbers {
  /** Mean per trained token, nats. */
  nll: number;
  perplexity: number;
  /** Share of the trained tokens that are the model's first choice, 0 to 1. */
  correct: number;
  /** Share of those among its first `topK`, but not first. */
  inTopK: number;
  /** Share of those outside its first `topK`. */
  outside: number;
}

/** Rows of one dataset, before beside after. */
export interface ComparedGroup {
  name: string;
  set: InspectedSet;
  /** Absent for texts that are guarded. */
  style?: LearningStyle;
  rows: number;
  /** Trained tokens of these rows. */
  tokens: number;
  before: GroupNumbers;
  after: GroupNumbers;
  /** After less before, nats per token: below 0 is better. */
  nllChange: Interval;
  /** After less before, share of the tokens: above 0 is better. */
  correctChange: Interval;
  /** `gained` or `lost` where the whole interval of `nllChange` is below or above 0. */
  verdict: 'gained' | 'lost' | 'same';
}

/** Two models beside each other, or one model before and after a run. */
export interface Comparison {
  topK: number;
  groups: ComparedGroup[];
}

/** What the model answers to the beginning of a held-out row, before and after. */
export interface SampleAnswer {
  dataset: string;
  prompt: ChatMessage[] | string;
  /** What the row has there. */
  expected?: string;
  before: string;
  /** Empty before the run has ended. */
  after: string;
}

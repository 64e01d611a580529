import type { HeldOut } from '../../examples/quickstart/measure.js';
import type { CausalLM, LearningStyle, Tokenizer } from '../../src/index.js';

/** What is asked, what is to be answered, and how that is learned where the loss is adaptive. */
export interface Exchange {
  user: string;
  assistant: string;
  style: LearningStyle;
}

/** How well a task was learned. */
export interface TaskScore {
  /** What the task is about, 0 to 1: more is better. */
  target: number;
  /** A second number, in nats per token or as a share; what it is, `Family.second` says. */
  second: number;
}

/** A task: rows to train on, and how to tell what was learned of them. */
export interface Family {
  name: string;
  /** What `target` and `second` of its scores are. */
  target: string;
  second: string;
  /** Folder of the model to begin with. */
  model: string;
  /** What the model knew before, and is not trained on. */
  heldOut: HeldOut;
  train: readonly Exchange[];
  epochs: number;
  batchSize: number;
  /** Settings to compare, where the command names none: as `parseSetting` reads them. */
  settings: readonly string[];
  score(model: CausalLM, tokenizer: Tokenizer): Promise<TaskScore>;
}

/** How large a family is made: 1 for what is reported, less for a quick look. */
export interface FamilySize {
  scale: number;
  seed: number;
}

/** Exchanges that are all learned in one style. */
export function as(
  style: LearningStyle,
  exchanges: readonly { user: string; assistant: string }[],
): Exchange[] {
  return exchanges.map(({ user, assistant }) => ({ user, assistant, style }));
}

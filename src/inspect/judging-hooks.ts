import type { Tokenizer } from '../tokenizer/tokenizer.js';
import type { RunViewOptions } from '../trackers/run-view.js';
import type { ChosenRow } from '../trainer/inspection/chosen-rows.js';

/** What `evaluateModel` and `inspectDatasets` take beside the configuration. */
export interface JudgingHooks extends Pick<RunViewOptions, 'progress' | 'onHub' | 'onData'> {
  /** Told what to know beside the numbers. Default: shown with the progress. */
  onWarning?: ((message: string) => void) | undefined;
  /** Told how many rows a model has judged. */
  onProgress?: ((progress: JudgingProgress) => void) | undefined;
  /** Aborting ends the call, which then rejects with ABORTED. */
  signal?: AbortSignal | undefined;
}

/** Rows that a model was given, for whatever else is wanted of it while it is open. */
export interface RowsInHand {
  chosen: readonly ChosenRow[];
  tokenizer: Tokenizer;
  /** As configured. */
  topK: number;
  signal: AbortSignal | undefined;
}

/** How far a model is with rows. */
export interface JudgingProgress {
  model: string;
  /** Rows. */
  done: number;
  total: number;
}

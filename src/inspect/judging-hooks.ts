import { expectInput } from '../common/expect-input.js';
import type { MixProgress } from '../events/dataset-report.js';
import type { HubEvent } from '../events/hub-event.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import type { ChosenRow } from '../trainer/inspection/chosen-rows.js';

/** What `evaluateModel` and `inspectDatasets` take beside the configuration. */
export interface JudgingHooks {
  /** Show how far it is on standard error. Default true. */
  progress?: boolean | undefined;
  /** Told of downloads from the Hub. Default: none. */
  onHub?: ((event: HubEvent) => void) | undefined;
  /** Told how far the tokenizing of the datasets is. Default: none. */
  onData?: ((progress: MixProgress) => void) | undefined;
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

/** @throws AdaptiveTrainerError INVALID_INPUT for a number of rows that is none; Infinity: all */
export function checkMostRows(rows: number): void {
  const isCount = rows === Infinity || (Number.isSafeInteger(rows) && rows > 0);
  expectInput(isCount, 'rows', 'a whole number, 1 or more', rows);
}

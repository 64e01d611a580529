import type { RunViewOptions } from '../trackers/run-view.js';

/** What `evaluateModel` and `inspectDatasets` take beside the configuration. */
export interface JudgingHooks extends Pick<RunViewOptions, 'progress' | 'onHub' | 'onData'> {
  /** Told what to know beside the numbers. Default: shown with the progress. */
  onWarning?: ((message: string) => void) | undefined;
  /** Told how many rows a model has judged. */
  onProgress?: ((progress: JudgingProgress) => void) | undefined;
  /** Aborting ends the call, which then rejects with ABORTED. */
  signal?: AbortSignal | undefined;
}

/** How far a model is with rows. */
export interface JudgingProgress {
  model: string;
  /** Rows. */
  done: number;
  total: number;
}

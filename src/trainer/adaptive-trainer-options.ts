import type { AdaptiveLossConfigInput, TrainingConfigInput } from '../config/schema/config-input.js';
import type { DatasetReport } from '../events/dataset-report.js';
import type { TrainingRow } from '../events/training-row.js';
import type { CausalLM } from '../model/causal-lm.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import type { Tracker } from '../events/tracker.js';
import type { TrainerCallback } from './trainer-callback.js';
import type { TrainingRows } from './batches/training-rows.js';

export interface AdaptiveTrainerOptions {
  model: CausalLM;
  /** Saved beside the model. */
  tokenizer?: Tokenizer;
  /** An array, or an async iterable that is read once per epoch (then `args.maxSteps` is required). */
  trainDataset: TrainingRows;
  evalDataset?: TrainingRows;
  /**
   * Rows that the model is held to its base on, beside what the base writes itself: the datasets that `args.retention.source`
   * names, which `trainAdaptively` reads. Each of their tokens counts, whatever their labels are. Default: none.
   */
  retentionDataset?: readonly TrainingRow[];
  /**
   * Rows that are judged before and after the run beside a small set of general text, to see what the model lost elsewhere
   * (`args.inspectRows`). Each of their tokens counts. Default: `retentionDataset`.
   */
  guardedDataset?: readonly TrainingRow[];
  /**
   * The keys of `trainingConfig`, in either spelling; those of `adaptiveLossConfig` may stand among them. The
   * `trainingConfig` of a parsed configuration is taken as it is.
   */
  args?: TrainingConfigInput & AdaptiveLossConfigInput;
  adaptiveLoss?: AdaptiveLossConfigInput;
  /** Where checkpoints and, at the end, `final_model` go. Default: nothing is written. */
  outputDir?: string;
  /** How each dataset was used (`DatasetMixer.build`); sent as an event before `start`. */
  datasetReport?: DatasetReport[];
  /** Further settings, added to the `config` of the start event beside `args` and `adaptiveLoss`. */
  config?: Readonly<Record<string, unknown>>;
  /** Folder for what `retention` and `evalForgetting` keep of base models. Default: in the cache folder. */
  retentionCache?: string;
  callbacks?: readonly TrainerCallback[];
  trackers?: readonly Tracker[];
  /** Aborting ends the run after the step it is in; `train` then rejects with ABORTED. */
  signal?: AbortSignal;
}

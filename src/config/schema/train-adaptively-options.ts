import type { LearningStyle } from '../../events/learning-style.js';
import type { DatasetKwargsInput, DatasetsConfigInput } from '../datasets/datasets-config.js';
import type {
  AdaptiveLossConfigInput,
  PeftConfigInput,
  TrainingConfigInput,
  UploadConfigInput,
} from './config-input.js';

/**
 * What `trainAdaptively` takes. Its type has each key once, in camelCase. The snake_case keys of the Python package, and
 * what was read from a JSON file, are taken at run time: pass them through `parseConfig`, which takes anything and checks it.
 */
export interface TrainAdaptivelyOptions {
  /** Folder of the model to train, or its name on the Hub. */
  modelName: string;
  /** Which datasets to train on, listed by learning style. */
  datasetsConfig: DatasetsConfigInput;
  /**
   * Folder for checkpoints, `metrics.jsonl` and `final_model`, relative to the current directory; made if it is not there.
   * Default: `trainingConfig.outputDir`; one of the two is required.
   */
  outputDir?: string | undefined;
  /** Hub repository (`owner/name`) that the finished model is uploaded to. Without a token it only gives a warning. Default null. */
  huggingfaceRepo?: string | null | undefined;
  /** System prompt by learning style. Default: none. */
  systemPrompts?: { [Style in LearningStyle]?: string | null | undefined } | null | undefined;
  /** Settings of single datasets, by name (with or without its `:|:K`). Default: none. */
  datasetsKwargs?: Record<string, DatasetKwargsInput | null> | null | undefined;
  /** Appended to the system prompt for single datasets, by name. Default: none. */
  datasetSpecificSystemPrompts?: Record<string, string | null> | null | undefined;
  /** How to train. Default: every default. */
  trainingConfig?: TrainingConfigInput | null | undefined;
  /** The loss. Default: every default. */
  adaptiveLossConfig?: AdaptiveLossConfigInput | null | undefined;
  /** How the finished model is uploaded; without `huggingfaceRepo` it has no effect. Default: every default. */
  uploadConfig?: UploadConfigInput | null | undefined;
  /** Train a LoRA adapter instead of all weights; `{}` takes every default of it. Default null: all weights. */
  peftConfig?: PeftConfigInput | null | undefined;
}

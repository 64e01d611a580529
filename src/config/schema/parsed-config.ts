import type { LearningStyle } from '../../events/learning-style.js';
import type { DatasetPlan } from '../datasets/dataset-plan.js';
import type { DatasetKwargsInput, DatasetsConfigInput } from '../datasets/datasets-config.js';
import type { ConfigWarning } from '../read/config-warning.js';
import type {
  AdaptiveLossConfigInput,
  OptimArgs,
  PeftConfigInput,
  RetentionInput,
  TrainingConfigInput,
  UploadConfigInput,
} from './config-input.js';
import type { RetentionText } from './retention.js';

/** What is read of an input: each key is there. A mapped type of this form keeps the comments of the keys. */
export type Filled<Input> = { [Key in keyof Input]-?: Exclude<Input[Key], undefined> };

/** The training configuration with every default filled in. */
export interface TrainingConfig extends Omit<
  Filled<TrainingConfigInput>,
  | 'betas'
  | 'optimArgs'
  | 'warmupRatio'
  | 'outputDir'
  | 'fp16'
  | 'precision'
  | 'evalBatchSize'
  | 'evalSteps'
  | 'retention'
  | 'greaterIsBetter'
  | 'bnb4bitComputeDtype'
> {
  /** What weights are kept and computed in. Null: `fp16` or `bf16` is true, and the machine decides between bfloat16 and float32. */
  precision: Precision | null;
  /** Mixed precision is asked for. Never true together with `bf16`; where `precision` is given, both as it says. */
  fp16: boolean;
  /** Rows of an evaluation batch. */
  evalBatchSize: number;
  /** Steps between two evaluations. */
  evalSteps: number;
  /** Whether more of `metricForBestModel` is better. */
  greaterIsBetter: boolean;
  /** What of `optimArgs` has no key of its own; the others are in theirs. */
  optimArgs: OptimArgs;
  /** Null: the model is not held to its base. */
  retention: RetentionConfig | null;
}

/** How the model is held to its base, with every default filled in. */
export interface RetentionConfig extends Omit<Filled<RetentionInput>, 'source'> {
  /** At least one. The datasets among them, read, are `retentionDatasets` of the whole configuration. */
  source: readonly RetentionText[];
}

/** What weights are kept and computed in. */
export type Precision = NonNullable<TrainingConfigInput['precision']>;

/** The loss configuration with every default filled in. */
export type AdaptiveLossConfig = Filled<AdaptiveLossConfigInput>;

/** An adapter's configuration with every default filled in. */
export type PeftConfig = Omit<Filled<PeftConfigInput>, 'alpha' | 'dropout'>;

/** The upload configuration with every default filled in. */
export type UploadConfig = Filled<UploadConfigInput>;

/**
 * A whole configuration, checked, in camelCase and with every default filled in. It is frozen, and so is each part; a part
 * is taken as it is by what takes a configuration (`AdaptiveTrainer`, `DatasetMixer`, …), a changed copy is checked anew.
 */
export interface ParsedConfig {
  /** Folder of the model, or its name on the Hub. */
  modelName: string;
  /** Folder for checkpoints, `metrics.jsonl` and `final_model`; relative to the current directory. */
  outputDir: string;
  huggingfaceRepo: string | null;
  /** What is said of each dataset, in the order of the learning styles. */
  datasets: readonly DatasetPlan[];
  /** The same for the datasets that `trainingConfig.retention` names; they are not trained on. */
  retentionDatasets: readonly DatasetPlan[];
  /** As the user wrote it, as are the three tables after it; `datasets` is what was read of them. */
  datasetsConfig: DatasetsConfigInput;
  /** System prompt by learning style. */
  systemPrompts: Partial<Record<LearningStyle, string | null>>;
  /** By dataset name, with or without its `:|:K`. */
  datasetsKwargs: Record<string, DatasetKwargsInput | null>;
  /** Appended to the system prompt; by dataset name as above. */
  datasetSpecificSystemPrompts: Record<string, string | null>;
  trainingConfig: TrainingConfig;
  adaptiveLossConfig: AdaptiveLossConfig;
  uploadConfig: UploadConfig;
  /** Null: all weights are trained. */
  peftConfig: PeftConfig | null;
  /** What has no effect; the caller shows these. */
  warnings: ConfigWarning[];
}

import type { z } from 'zod';
import type { adaptiveLossConfigSchema } from './adaptive-loss-config.js';
import type { ConfigWarning } from '../read/config-warning.js';
import type { peftConfigSchema } from './peft-config.js';
import type { LearningStyle } from '../../events/learning-style.js';
import type { DatasetKwargsInput, DatasetsConfig } from '../datasets/datasets-config.js';
import type { DatasetPlan } from '../datasets/dataset-plan.js';
import type { trainingConfigSchema } from './training-config.js';
import type { uploadConfigSchema } from './upload-config.js';

type TrainingOutput = z.output<typeof trainingConfigSchema>;

/** The training configuration with every default filled in; see `trainingConfigSchema` for what each key means. */
export interface TrainingConfig extends Omit<
  TrainingOutput,
  'betas' | 'fp16' | 'precision' | 'evalBatchSize' | 'evalSteps'
> {
  /** Null: `fp16` or `bf16` is true, and the machine decides between bfloat16 and float32. */
  precision: Precision | null;
  /** Never true together with `bf16`; where `precision` is given, both as it says. */
  fp16: boolean;
  evalBatchSize: number;
  evalSteps: number;
}

/** What weights are kept and computed in. */
export type Precision = NonNullable<TrainingOutput['precision']>;

/** The loss configuration with every default filled in. */
export type AdaptiveLossConfig = z.output<typeof adaptiveLossConfigSchema>;

/** An adapter's configuration with every default filled in. */
export type PeftConfig = Omit<z.output<typeof peftConfigSchema>, 'alpha' | 'dropout'>;

/** The upload configuration with every default filled in. */
export type UploadConfig = z.output<typeof uploadConfigSchema>;

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
  /** As the user wrote it, as are the three tables after it; `datasets` is what was read of them. */
  datasetsConfig: DatasetsConfig;
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

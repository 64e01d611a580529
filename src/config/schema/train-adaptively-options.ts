import type { z } from 'zod';
import type { LearningStyle } from '../../events/learning-style.js';
import type { adaptiveLossConfigSchema } from './adaptive-loss-config.js';
import type { BothSpellings } from '../../common/both-spellings.js';
import type { DatasetKwargsInput, DatasetsConfigInput } from '../datasets/datasets-config.js';
import type { SnakeCase } from '../../common/snake-case.js';
import type { peftConfigSchema } from './peft-config.js';
import type { trainingConfigSchema } from './training-config.js';
import type { uploadConfigSchema } from './upload-config.js';

/** `trainingConfig` as a user writes it: any of the keys of `trainingConfigSchema`, in either spelling. */
export type TrainingConfigInput = BothSpellings<z.input<typeof trainingConfigSchema>>;

/** `adaptiveLossConfig` as a user writes it, in either spelling. */
export type AdaptiveLossConfigInput = BothSpellings<z.input<typeof adaptiveLossConfigSchema>>;

/** `uploadConfig` as a user writes it, in either spelling. */
export type UploadConfigInput = BothSpellings<z.input<typeof uploadConfigSchema>>;

/** A LoRA adapter as a user writes it, in either spelling: the keys of PEFT's `LoraConfig`. */
export type PeftConfigInput = BothSpellings<z.input<typeof peftConfigSchema>>;

interface Required {
  /** Folder of the model to train, or its name on the Hub. */
  modelName: string;
  /** Which datasets to train on, listed by learning style. */
  datasetsConfig: DatasetsConfigInput;
  /** Folder for checkpoints, metrics and the final model; made if it is not there. */
  outputDir: string;
}

interface Optional {
  /** Hub repository (`owner/name`) that the finished model is uploaded to. Without a token it only gives a warning. */
  huggingfaceRepo?: string | null;
  /** System prompt by learning style. */
  systemPrompts?: Partial<Record<LearningStyle, string>> | null;
  /** Settings of single datasets, by name. */
  datasetsKwargs?: Record<string, DatasetKwargsInput | null> | null;
  /** Appended to the system prompt for single datasets, by name. */
  datasetSpecificSystemPrompts?: Record<string, string | null> | null;
  trainingConfig?: TrainingConfigInput | null;
  adaptiveLossConfig?: AdaptiveLossConfigInput | null;
  uploadConfig?: UploadConfigInput | null;
  /** Train a LoRA adapter instead of all weights; `{}` takes every default. */
  peftConfig?: PeftConfigInput | null;
}

type SnakeKeys<Config> = { [Key in keyof Config as SnakeCase<Key & string>]: Config[Key] };

/**
 * What `trainAdaptively` takes. The keyword arguments of the Python `train_adaptively`, as one object in snake_case,
 * are accepted too.
 */
export type TrainAdaptivelyOptions = (Required | SnakeKeys<Required>) & BothSpellings<Optional>;

import * as z from 'zod';
import type { DatasetEntry } from '../datasets/datasets-config.js';
import { field } from './field.js';

/** Text to hold the model on: what the base model writes itself (`self`), or a dataset. */
export type RetentionText = 'self' | DatasetEntry;

/** The entries are read as those of `datasetsConfig` are, which has the messages for what is wrong with one. */
export const retentionSourceSchema = z.custom<RetentionText | readonly RetentionText[]>(
  (value) => typeof value === 'string' || (typeof value === 'object' && value !== null),
  { error: '"self", a dataset, or a list of these' },
);

/**
 * Learning without forgetting: beside the loss, each step takes tokens of other text, and KL(base ‖ model) on them holds the
 * model to what the base model says there. Every key is optional; `{}` takes every default.
 */
export const retentionSchema = z.object({
  /**
   * Text to hold the model on: `self`, what the base model itself writes before the first step; datasets of your own, texts
   * or chats, listed as in `datasetsConfig`; or a list of both. Default `self`.
   */
  source: retentionSourceSchema.default('self'),
  /** Sequences that the base model writes: once per base model, kept in the cache folder. Default 1000. */
  samples: field.wholeNumber(1).default(1000),
  /** Tokens of each of them. Default 64. */
  length: field.wholeNumber(2).default(64),
  /** λ, what the divergence counts beside the loss. 0 leaves it to `pullToBase`. Default 1. */
  weight: field.number(0).default(1),
  /** Tokens of this text that a step takes. Default 128. */
  tokensPerStep: field.wholeNumber(1).default(128),
  /** Steps from one that takes them to the next. Default 1. */
  every: field.wholeNumber(1).default(1),
  /** Choose weight and tokensPerStep so that the time of a step rises by at most a tenth; the two are where it starts. Default false. */
  auto: field.flag().default(false),
  /**
   * How strongly weights are pulled to their start, in place of `weightDecay`: the sum over all steps of what a step pulls
   * them by, so it means the same at any learning rate and number of steps. 0: not at all, with `weightDecay` as ever.
   * Default null: 2.5, or 0 where every dataset is learned as `attention`, whose rows are to be known by heart.
   */
  pullToBase: field.number(0).nullable().default(null),
});

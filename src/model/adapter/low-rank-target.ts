import type { PeftConfig } from '../../config/schema/parsed-config.js';
import type { AdapterRequest } from '../../engine/addon.js';
import { compiledPattern } from './module-patterns.js';

export interface Named {
  name: string;
  shape: readonly number[];
}

/** The model that an adapter is put on. */
export interface AdaptedModel {
  parameters: readonly Named[];
  /** model_type of config.json. */
  modelType: unknown;
  tiedHead: boolean;
  /** Whether weights are stored [inputs, outputs], as GPT-2's. */
  transposed: boolean;
  /** Whether it was opened out of a model that takes more than text, as which an adapter names its modules. */
  isPart: boolean;
}

export const head = 'lm_head';
/** Modules that are looked up. */
export const embeddings = /(^|\.)(embed_tokens|wte|wpe|embed_in|embed_positions)$/;

/** A norm of heads may have a row for each. */
export function isMatrix({ name, shape }: Named): boolean {
  return /(?<!norm)\.weight$/.test(name) && shape.length === 2;
}

/** `key`: what PEFT compares its patterns with, a module or a weight. */
export function targetOf(key: string, config: PeftConfig): AdapterRequest['targets'][number] {
  const rank = patterned(config.rankPattern, key, 'rankPattern') ?? config.r;
  const alpha = patterned(config.alphaPattern, key, 'alphaPattern') ?? config.loraAlpha;
  const scale = alpha / (config.useRslora ? Math.sqrt(rank) : rank);
  const isEmbedding = embeddings.test(key);
  return {
    module: key,
    rank,
    scale,
    // PEFT drops nothing of what is looked up.
    dropout: isEmbedding ? 0 : config.loraDropout,
    magnitude: config.useDora,
    form: isEmbedding ? 'embedding' : 'linear',
  };
}

function patterned(patterns: Record<string, number>, module: string, key: string): number | undefined {
  return Object.entries(patterns).find(([pattern]) =>
    compiledPattern(`^(.*\\.)?(${pattern})$`, pattern, key).test(module),
  )?.[1];
}

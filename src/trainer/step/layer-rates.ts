import type { TrainingConfig } from '../../config/schema/parsed-config.js';
import { matchWeights, type WeightNames } from '../../model/weight-patterns.js';

/** What the learning rate of a weight is multiplied with. */
export interface LayerRate {
  name: string;
  multiplier: number;
}

/**
 * The multipliers of the learning rate that are not 1: by `learningRateMultipliers`, whose first pattern that fits a weight
 * counts, times `layerwiseLrDecay` to the power of how many layers lie above, the head and the final norm being the last
 * one and the embeddings the first; and those of LoRA+, as PEFT's create_loraplus_optimizer.
 * @param trained the weights that are trained
 * @throws AdaptiveTrainerError CONFIG_INVALID for a pattern that fits no weight
 */
export function layerRates(
  config: TrainingConfig,
  weights: WeightNames,
  layers: number,
  trained: readonly { name: string; shape: readonly number[] }[],
): LayerRate[] {
  const { learningRateMultipliers, layerwiseLrDecay } = config;
  const multipliers = new Map<string, number>();
  const patterns = Object.entries(learningRateMultipliers ?? {});
  const found = matchWeights(
    patterns.map(([pattern]) => pattern),
    weights,
    'learningRateMultipliers',
  );
  for (const [i, names] of found.entries())
    for (const name of names) if (!multipliers.has(name)) multipliers.set(name, patterns[i]![1]);
  const embedding = weights.names[0]!;
  return trained
    .map(({ name, shape }) => {
      const decay = (layerwiseLrDecay ?? 1) ** layersAbove(name, embedding, layers);
      return { name, multiplier: (multipliers.get(name) ?? 1) * decay * loraplusRate(config, name, shape) };
    })
    .filter(({ multiplier }) => multiplier !== 1);
}

function loraplusRate(
  { loraplusLrRatio, loraplusLrEmbedding, learningRate }: TrainingConfig,
  name: string,
  shape: readonly number[],
): number {
  if (loraplusLrRatio === null) return 1;
  if (/\.lora_embedding_[AB]$/.test(name)) return learningRate === 0 ? 0 : loraplusLrEmbedding / learningRate;
  return name.includes('lora_B') || shape.length === 1 ? loraplusLrRatio : 1;
}

function layersAbove(name: string, embedding: string, layers: number): number {
  const layer = /\.(\d+)\./.exec(name)?.[1];
  if (layer !== undefined) return layers - Number(layer);
  const isEmbedding = name === embedding || /(^|\.)(wpe|embed_positions)\./.test(name);
  return isEmbedding ? layers + 1 : 0;
}

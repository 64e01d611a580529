import type { PeftConfig } from '../../config/schema/parsed-config.js';
import type { ModelAdapter } from './model-adapter.js';

type Weight = { name: string; shape: number[] };

/**
 * An adapter that was taken out of its base as a plain LoRA of the base as it was, of twice the rank: A and B, and beside them
 * those that it began as, taken away. undefined for an adapter that is one already, or cannot become one.
 */
export function plainAdapter(
  config: PeftConfig,
): { config: PeftConfig; reshaped: (weight: Weight) => Weight } | undefined {
  if (!isTakenOut(config) || config.useDora) return undefined;
  const alpha = config.useRslora ? Math.SQRT2 : 2;
  const times = (pattern: Record<string, number>, factor: number) =>
    Object.fromEntries(Object.entries(pattern).map(([key, value]) => [key, value * factor]));
  return {
    config: {
      ...config,
      r: 2 * config.r,
      loraAlpha: alpha * config.loraAlpha,
      rankPattern: times(config.rankPattern, 2),
      alphaPattern: times(config.alphaPattern, alpha),
      initLoraWeights: true,
    },
    reshaped: ({ name, shape }) => {
      if (name.endsWith('.lora_A.weight')) return { name, shape: [2 * shape[0]!, shape[1]!] };
      if (name.endsWith('.lora_B.weight')) return { name, shape: [shape[0]!, 2 * shape[1]!] };
      return { name, shape };
    },
  };
}

/** Whether an adapter's first value was taken out of the weights. */
export function isTakenOut({ initLoraWeights }: Pick<PeftConfig, 'initLoraWeights'>): boolean {
  return /^(pissa|olora)/.test(String(initLoraWeights));
}

/** How many values stand beside such an adapter to give back what was taken out: those that it began as. */
export function valuesTakenOut({ config, trainable }: Pick<ModelAdapter, 'config' | 'trainable'>): number {
  if (!isTakenOut(config)) return 0;
  return trainable
    .filter(({ name }) => /\.lora_[AB]\.weight$/.test(name))
    .reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0);
}

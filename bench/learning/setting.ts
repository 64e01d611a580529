import { learningStyles, type LearningStyle } from '../../src/index.js';

/** What is compared: a loss, a rate, and how the model is held to its base. */
export interface Setting {
  /** As it was written. */
  name: string;
  loss: 'ce' | 'adaptive' | 'dft' | 'eaft';
  topK: number;
  learningRate: number;
  /** λ of `retention`; undefined: none. */
  weight: number | undefined;
  /** S of `retention`. */
  pull: number;
  tokensPerStep: number;
  every: number;
  /** Bound on the divergence. */
  bound: number | undefined;
  /** How all rows are learned; undefined: as the family says. */
  style: LearningStyle | undefined;
  /** Rank of a LoRA adapter; 0: all weights are trained. */
  rank: number;
}

export const settingHelp = `A setting is a list of words: a loss (ce, dft, eaft, k1, k8 for the adaptive loss with that top_k), lr=<rate>, and
optionally keep=<λ>, pull=<S>, tokens=<per step>, every=<steps>, bound=<nats>,
lora=<rank>, as=<learning style>: "ce lr=1e-3 keep=1 pull=2.5"`;

/** Reads a setting such as `k1 lr=1e-3 keep=1 pull=2.5`. */
export function parseSetting(text: string): Setting {
  const [loss = '', ...words] = text.trim().split(/\s+/);
  const values = new Map(words.map((word) => word.split('=') as [string, string]));
  const number = (key: string) => {
    const value = values.get(key);
    values.delete(key);
    if (value === undefined) return undefined;
    if (value === '' || !Number.isFinite(Number(value)))
      throw new Error(`Expected a number for ${key} in the setting "${text}".\n${settingHelp}`);
    return Number(value);
  };
  const style = learningStyles.find((one) => one === values.get('as'));
  if (style !== undefined) values.delete('as');
  const adaptive = /^k(\d+)$/.exec(loss);
  const setting: Setting = {
    name: text.trim().replace(/\s+/g, ' '),
    loss: adaptive === null ? (loss as Setting['loss']) : 'adaptive',
    topK: adaptive === null ? 20 : Number(adaptive[1]),
    learningRate: number('lr') ?? NaN,
    weight: number('keep'),
    pull: number('pull') ?? 0,
    tokensPerStep: number('tokens') ?? 128,
    every: number('every') ?? 1,
    bound: number('bound'),
    style,
    rank: number('lora') ?? 0,
  };
  const isKnown = ['ce', 'adaptive', 'dft', 'eaft'].includes(setting.loss);
  if (!isKnown || Number.isNaN(setting.learningRate) || values.size > 0)
    throw new Error(`Expected a setting, received "${text}".\n${settingHelp}`);
  return setting;
}

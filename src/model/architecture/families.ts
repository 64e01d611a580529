import type { DecoderConfig } from '../../engine/addon.js';

export type Json = Record<string, unknown>;

/** What a family makes of config.json; everything left out is as in Llama. */
export interface Family {
  /** The table of weight names (native/core/model/weight_names.cpp). */
  names: DecoderConfig['names'];
  /** What transformers 5.18 takes for keys that config.json leaves out, where it matters. */
  defaults: Json;
  /** Names that config.json has for the keys read here. */
  aliases?: Record<string, string>;
  qkvBias?: (config: Json) => boolean;
  outputBias?: (config: Json) => boolean;
  mlpBias?: (config: Json) => boolean;
  norm?: Pick<DecoderConfig, 'normOffset' | 'layerNorm'>;
  headNormPerHead?: boolean;
  /** The key of the activation. Default hidden_act. */
  activationKey?: string;
  gated?: boolean;
  learnedPositions?: boolean;
  /** torch.nn.Embedding's padding_idx is pad_token_id. Default true. */
  paddingIdx?: boolean;
  /** The key of a number n: scores are divided by √n. Default: the head's size. */
  scoreScalarKey?: string;
  /** The key of the number that scores are multiplied with. */
  scoreMultiplierKey?: string;
  /** Embeddings are multiplied with √hidden_size. */
  scalesEmbeddings?: boolean;
  /** Honours embedding_multiplier, residual_multiplier and logits_scaling. */
  multipliers?: boolean;
  softCaps?: { attention: boolean; logits: boolean };
  /** Which layers see no further than sliding_window. Default: none. */
  windows?: 'all' | 'layer_types';
  /** Whether a layer slides when config.json has no layer_types. */
  slides?: (config: Json, layer: number) => boolean;
  /** The family reads use_sliding_window; false switches windows off. */
  windowSwitch?: boolean;
  ropes?: 'one' | 'by layer type' | 'none';
  /** Whether a layer's queries and keys are rotated. Default: all are. */
  rotates?: (config: Json, layer: number) => boolean;
  /** Rotates the first partial_rotary_factor of each head, and knows the names of Phi-3's longrope. */
  phi3Rope?: boolean;
  /** Keys that change the computation in a way that is not built, with the values that leave it alone. */
  refused?: Record<string, unknown[]>;
}

const flag = (key: string) => (config: Json) => config[key] === true;
const always = () => true;
const listed = (key: string, config: Json, layer: number): unknown => {
  const list = config[key];
  return Array.isArray(list) ? (list as unknown[])[layer] : undefined;
};

const llama: Family = {
  names: 'llama',
  defaults: { rms_norm_eps: 1e-6, tie_word_embeddings: false },
  qkvBias: flag('attention_bias'),
  outputBias: flag('attention_bias'),
  mlpBias: flag('mlp_bias'),
};

const mistral: Family = {
  names: 'llama',
  defaults: {
    rms_norm_eps: 1e-6,
    tie_word_embeddings: false,
    num_key_value_heads: 8,
    sliding_window: 4096,
  },
  windows: 'all',
};

const qwenDefaults = {
  rms_norm_eps: 1e-6,
  tie_word_embeddings: false,
  num_key_value_heads: 32,
  use_sliding_window: false,
  sliding_window: 4096,
  max_window_layers: 28,
};
const qwen2: Family = {
  names: 'llama',
  defaults: qwenDefaults,
  qkvBias: always,
  windows: 'layer_types',
  windowSwitch: true,
  slides: (config, layer) => layer >= Number(config['max_window_layers']),
};

const qwen3: Family = {
  ...qwen2,
  names: 'qwen3',
  defaults: { ...qwenDefaults, head_dim: 128 },
  qkvBias: flag('attention_bias'),
  outputBias: flag('attention_bias'),
};

const phi3: Family = {
  names: 'phi3',
  defaults: {
    rms_norm_eps: 1e-5,
    tie_word_embeddings: false,
    pad_token_id: 32000,
    original_max_position_embeddings: 4096,
    max_position_embeddings: 4096,
    sliding_window: null,
  },
  windows: 'all',
  phi3Rope: true,
};

const gemmaDefaults = {
  rms_norm_eps: 1e-6,
  tie_word_embeddings: true,
  num_key_value_heads: 4,
  head_dim: 256,
  hidden_activation: 'gelu_pytorch_tanh',
  query_pre_attn_scalar: 256,
  sliding_window: 4096,
  pad_token_id: 0,
};
const gemma2: Family = {
  names: 'gemma2',
  defaults: { ...gemmaDefaults, final_logit_softcapping: 30, attn_logit_softcapping: 50 },
  qkvBias: flag('attention_bias'),
  outputBias: flag('attention_bias'),
  norm: { normOffset: 1, layerNorm: false },
  activationKey: 'hidden_activation',
  scoreScalarKey: 'query_pre_attn_scalar',
  scalesEmbeddings: true,
  softCaps: { attention: true, logits: true },
  windows: 'layer_types',
  slides: (_, layer) => layer % 2 === 0,
  refused: { use_bidirectional_attention: [null, false] },
};

const gemma3: Family = {
  ...gemma2,
  names: 'gemma3',
  defaults: { ...gemmaDefaults, final_logit_softcapping: null, sliding_window_pattern: 6 },
  // transformers reads attn_logit_softcapping here and never applies it.
  softCaps: { attention: false, logits: true },
  slides: (config, layer) => (layer + 1) % Number(config['sliding_window_pattern']) !== 0,
  ropes: 'by layer type',
};

const smollm3: Family = {
  names: 'llama',
  defaults: {
    rms_norm_eps: 1e-6,
    tie_word_embeddings: true,
    num_key_value_heads: 4,
    rope_theta: 2e6,
    use_sliding_window: false,
    sliding_window: null,
    no_rope_layer_interval: 4,
    pad_token_id: 128004,
  },
  qkvBias: flag('attention_bias'),
  outputBias: flag('attention_bias'),
  mlpBias: flag('mlp_bias'),
  windows: 'layer_types',
  windowSwitch: true,
  slides: (config, layer) => !smollm3Rotates(config, layer),
  rotates: smollm3Rotates,
};

/** no_rope_layers says 1 for a layer that does rotate. */
function smollm3Rotates(config: Json, layer: number): boolean {
  const stated = listed('no_rope_layers', config, layer);
  return stated === undefined ? (layer + 1) % Number(config['no_rope_layer_interval']) !== 0 : stated === 1;
}

const olmo2: Family = {
  names: 'olmo2',
  defaults: { rms_norm_eps: 1e-5, tie_word_embeddings: false, pad_token_id: 1 },
  qkvBias: flag('attention_bias'),
  outputBias: flag('attention_bias'),
  headNormPerHead: false,
};

const granite: Family = {
  ...llama,
  defaults: {
    ...llama.defaults,
    attention_multiplier: 1,
    embedding_multiplier: 1,
    residual_multiplier: 1,
    logits_scaling: 1,
  },
  scoreMultiplierKey: 'attention_multiplier',
  multipliers: true,
};

const gpt2: Family = {
  names: 'gpt2',
  defaults: {
    layer_norm_epsilon: 1e-5,
    tie_word_embeddings: true,
    activation_function: 'gelu_new',
    scale_attn_weights: true,
    n_positions: 1024,
    attn_pdrop: 0.1,
    embd_pdrop: 0.1,
    resid_pdrop: 0.1,
  },
  aliases: {
    hidden_size: 'n_embd',
    num_attention_heads: 'n_head',
    num_hidden_layers: 'n_layer',
    intermediate_size: 'n_inner',
    max_position_embeddings: 'n_positions',
    rms_norm_eps: 'layer_norm_epsilon',
  },
  qkvBias: always,
  outputBias: always,
  mlpBias: always,
  norm: { normOffset: 0, layerNorm: true },
  activationKey: 'activation_function',
  gated: false,
  learnedPositions: true,
  paddingIdx: false,
  ropes: 'none',
  refused: { add_cross_attention: [null, false] },
};

/** By model_type. */
export const families: Readonly<Record<string, Family>> = {
  llama,
  mistral,
  qwen2,
  qwen3,
  phi3,
  gemma2,
  gemma3_text: gemma3,
  smollm3,
  olmo2,
  granite,
  gpt2,
};

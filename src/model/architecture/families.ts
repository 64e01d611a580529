import type { DecoderConfig } from '../../engine/addon.js';

export type Json = Record<string, unknown>;

/** What a family makes of config.json; everything left out is as in Llama. */
export interface Family {
  /** The table of weight names (native/core/model/weight_names.cpp). */
  names: DecoderConfig['names'];
  /** Keys that transformers reads though its configuration class has no such field. Default: those of one rope. */
  beside?: readonly string[];
  /** The family's own names for the keys read here. */
  ownNames?: Record<string, string>;
  /** Of `ownNames`, those for which transformers takes the common name too, and before its own. */
  aliases?: readonly string[];
  /** Even with a head_dim the heads must divide hidden_size. */
  dividesHidden?: boolean;
  qkvBias?: (config: Json) => boolean;
  outputBias?: (config: Json) => boolean;
  mlpBias?: (config: Json) => boolean;
  norm?: Partial<Pick<DecoderConfig, 'normOffset' | 'layerNorm' | 'normWeight' | 'normBias'>>;
  /** What norms add to the variance, where no key says it. */
  normEps?: number;
  headNorm?: (config: Json) => DecoderConfig['headNorm'];
  /** Default: attention, then the feed-forward on what it made. */
  residual?: (config: Json) => 'one after the other' | 'parallel' | 'parallel, one norm';
  headBias?: boolean;
  qkvByHead?: boolean;
  /** The key of what queries, keys and values are bounded to. */
  qkvClipKey?: string;
  /** head_dim is nowhere read: heads share hidden_size. */
  sharesHidden?: boolean;
  /** The key of the activation. Default hidden_act. */
  activationKey?: string;
  /** The activation, whatever a key says. */
  activation?: DecoderConfig['activation'];
  /** Activations that mean another one here. */
  activationNames?: Record<string, string>;
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
  /** The key of the number that logits are multiplied with. */
  logitScaleKey?: string;
  /** Honours embedding_multiplier, residual_multiplier and logits_scaling. */
  multipliers?: boolean;
  softCaps?: { attention: boolean; logits: boolean };
  /** Which layers see no further than sliding_window. Default: none. */
  windows?: 'all' | 'layer_types';
  /** Whether a layer slides when config.json has no layer_types. */
  slides?: (config: Json, layer: number) => boolean;
  /** Layers slide by their place even where sliding_window is null, which is a fault then. Default: without windowSwitch. */
  needsWindow?: boolean;
  /** In place of `slides`: every n-th layer does not. sliding_window_pattern says another n. */
  slidesBut?: number;
  /** use_sliding_window: false switches windows off for `all` layers, or for those that layer_types does not list. */
  windowSwitch?: 'all' | 'not listed';
  ropes?: 'one' | 'by layer type' | 'none';
  /** rope_theta where config.json has none. Default 10000. */
  ropeTheta?: number;
  /** The rope where config.json has none. Default: that of the type "default". */
  ropeParameters?: Json;
  /** The same for layers that slide, with ropes by layer type, and the key that may say it. */
  localTheta?: { value: number; key?: string };
  /** The keys of theta and the rotated part beside rope_parameters. Default rope_theta, partial_rotary_factor. */
  ropeKeys?: { theta: string; part: string };
  /** Rotates the first partial_rotary_factor of each head: this where config.json has none. */
  rotatedPart?: number;
  /** Entries 2i and 2i + 1 of a head turn together, not those half of the rotated part away. */
  interleaved?: boolean;
  /** Whether a layer's queries and keys are rotated. Default: all are. */
  rotates?: (config: Json, layer: number, slides: boolean) => boolean;
  /** Knows default and longrope alone, the latter by Phi-3's names too. */
  phi3Rope?: boolean;
  /** Layers whose feed-forward is experts, of which a router chooses some for each token. Default: none. */
  routing?: {
    /** Keys of their number; the first that is there counts. */
    experts: readonly string[];
    /** Key of an expert's intermediate size. */
    width: string;
    /** Key of that of the expert that every token goes through. */
    sharedWidth?: string;
    /** Whether the weights of the chosen experts are made to add up to 1. */
    normalises: (config: Json) => boolean;
    /** decoder_sparse_step and mlp_only_layers choose the layers. Default: all have experts. */
    someLayers?: boolean;
    /** Router and experts have biases. */
    bias?: boolean;
  };
  /** The keys of dropout in training. Default: attention_dropout alone. */
  dropouts?: { attention?: string; residual?: string; embedding?: string };
  /** Keys that change the computation in a way that is not built, with the values that leave it alone. */
  refused?: Record<string, unknown[]>;
}

/** Model types that do not fit the one decoder, and why. */
export const notBuilt: Readonly<Record<string, string>> = Object.fromEntries(
  ['qwen3_5', 'qwen3_5_text', 'qwen3_5_moe', 'qwen3_5_moe_text', 'qwen3_next'].map((type) => [
    type,
    'Three of four of its layers are gated delta networks, recurrences that are not available.',
  ]),
);

/** Read beside the fields of the configuration class in every family with rope. */
export const ropeKeys = [
  ...['rope_parameters', 'rope_scaling', 'rope_theta', 'partial_rotary_factor'],
  ...['original_max_position_embeddings', 'head_dim', 'layer_types'],
];

const flag = (key: string) => (config: Json) => config[key] === true;
const always = () => true;
const layerNorm = { layerNorm: true, normBias: true };
const listed = (key: string, config: Json, layer: number): unknown => {
  const list = config[key];
  return Array.isArray(list) ? (list as unknown[])[layer] : undefined;
};

const llama: Family = {
  names: 'llama',
  dividesHidden: true,
  qkvBias: flag('attention_bias'),
  outputBias: flag('attention_bias'),
  mlpBias: flag('mlp_bias'),
};

const mistral: Family = {
  names: 'llama',
  windows: 'all',
};

const qwen2: Family = {
  names: 'llama',
  qkvBias: always,
  windows: 'layer_types',
  windowSwitch: 'all',
  slides: (config, layer) => layer >= Number(config['max_window_layers']),
};

const qwen3: Family = {
  ...qwen2,
  names: 'qwen3',
  headNorm: () => 'rms',
  qkvBias: flag('attention_bias'),
  outputBias: flag('attention_bias'),
};

const phi3: Family = {
  names: 'phi3',
  windows: 'all',
  rotatedPart: 1,
  phi3Rope: true,
  // embd_pdrop is read by transformers and never applied.
  dropouts: { attention: 'attention_dropout', residual: 'resid_pdrop' },
};

const gemma: Family = {
  names: 'llama',
  qkvBias: flag('attention_bias'),
  outputBias: flag('attention_bias'),
  norm: { normOffset: 1 },
  // Meant in the first releases, which say "gelu".
  activationNames: { gelu: 'gelu_pytorch_tanh' },
  scalesEmbeddings: true,
  refused: { use_bidirectional_attention: [null, false] },
};

const gemma2: Family = {
  ...gemma,
  names: 'gemma2',
  dividesHidden: true,
  activationNames: {},
  activationKey: 'hidden_activation',
  scoreScalarKey: 'query_pre_attn_scalar',
  softCaps: { attention: true, logits: true },
  windows: 'layer_types',
  slides: (_, layer) => layer % 2 === 0,
};

const gemma3: Family = {
  ...gemma2,
  names: 'gemma3',
  headNorm: () => 'rms',
  beside: [...ropeKeys, 'rope_local_base_freq', 'sliding_window_pattern'],
  // transformers reads attn_logit_softcapping here and never applies it.
  softCaps: { attention: false, logits: true },
  slidesBut: 6,
  ropes: 'by layer type',
  ropeTheta: 1e6,
  localTheta: { value: 1e4, key: 'rope_local_base_freq' },
};

const smollm3: Family = {
  names: 'llama',
  qkvBias: flag('attention_bias'),
  outputBias: flag('attention_bias'),
  mlpBias: flag('mlp_bias'),
  windows: 'layer_types',
  windowSwitch: 'not listed',
  slides: (config, layer) => !smollm3Rotates(config, layer),
  ropeTheta: 2e6,
  rotates: smollm3Rotates,
};

/** no_rope_layers says 1 (or anything but 0) for a layer that does rotate. */
function smollm3Rotates(config: Json, layer: number): boolean {
  const stated = listed('no_rope_layers', config, layer);
  return stated === undefined
    ? (layer + 1) % Number(config['no_rope_layer_interval']) !== 0
    : Boolean(stated);
}

const olmo2: Family = {
  names: 'olmo2',
  qkvBias: flag('attention_bias'),
  outputBias: flag('attention_bias'),
  headNorm: () => 'rms_of_all',
};

const olmo3: Family = {
  ...olmo2,
  windows: 'layer_types',
  slidesBut: 4,
  ropes: 'by layer type',
  ropeTheta: 5e5,
  localTheta: { value: 5e5 },
};

const olmo: Family = {
  ...llama,
  dividesHidden: false,
  norm: { layerNorm: true, normWeight: false },
  normEps: 1e-5,
  mlpBias: () => false,
  qkvClipKey: 'clip_qkv',
};

const granite: Family = {
  ...llama,
  dividesHidden: false,
  scoreMultiplierKey: 'attention_multiplier',
  multipliers: true,
};

/** The loss that keeps routers balanced, and their noise while training, are not built. */
const refusedOfRouters = { output_router_logits: [false], router_jitter_noise: [0] };

const mixtral: Family = {
  names: 'mixtral',
  beside: [...ropeKeys, 'num_experts'],
  windows: 'all',
  ropeTheta: 1e6,
  routing: {
    experts: ['num_experts', 'num_local_experts'],
    width: 'intermediate_size',
    normalises: always,
  },
  refused: refusedOfRouters,
};

const qwen2Moe: Family = {
  names: 'qwen2_moe',
  qkvBias: flag('qkv_bias'),
  windows: 'layer_types',
  windowSwitch: 'all',
  needsWindow: true,
  slides: (config, layer) => layer % 2 === 0 && layer < Number(config['max_window_layers']),
  routing: {
    experts: ['num_experts'],
    width: 'moe_intermediate_size',
    sharedWidth: 'shared_expert_intermediate_size',
    normalises: flag('norm_topk_prob'),
    someLayers: true,
  },
  refused: refusedOfRouters,
};

const qwen3Moe: Family = {
  names: 'qwen3_moe',
  headNorm: () => 'rms',
  beside: [...ropeKeys, 'num_local_experts'],
  qkvBias: flag('attention_bias'),
  outputBias: flag('attention_bias'),
  windows: 'all',
  windowSwitch: 'all',
  routing: {
    experts: ['num_local_experts', 'num_experts'],
    width: 'moe_intermediate_size',
    normalises: flag('norm_topk_prob'),
    someLayers: true,
  },
  refused: refusedOfRouters,
};

const olmoe: Family = {
  names: 'qwen3_moe',
  beside: [...ropeKeys, 'num_local_experts'],
  qkvBias: flag('attention_bias'),
  outputBias: flag('attention_bias'),
  headNorm: () => 'rms_of_all',
  routing: {
    experts: ['num_local_experts', 'num_experts'],
    width: 'intermediate_size',
    normalises: flag('norm_topk_prob'),
  },
  qkvClipKey: 'clip_qkv',
  refused: refusedOfRouters,
};

const gptOss: Family = {
  names: 'gpt_oss',
  beside: [...ropeKeys, 'num_experts'],
  qkvBias: flag('attention_bias'),
  outputBias: flag('attention_bias'),
  activation: 'clamped_swiglu',
  windows: 'layer_types',
  slides: (_, layer) => layer % 2 === 0,
  ropeTheta: 150_000,
  ropeParameters: {
    rope_type: 'yarn',
    factor: 32,
    beta_fast: 32,
    beta_slow: 1,
    truncate: false,
    original_max_position_embeddings: 4096,
  },
  routing: {
    experts: ['num_experts', 'num_local_experts'],
    width: 'intermediate_size',
    // The softmax of the chosen alone.
    normalises: always,
    bias: true,
  },
  refused: refusedOfRouters,
};

const starcoder2: Family = {
  dropouts: { attention: 'attention_dropout', residual: 'residual_dropout', embedding: 'embedding_dropout' },
  names: 'starcoder2',
  ownNames: { rms_norm_eps: 'norm_epsilon' },
  qkvBias: flag('use_bias'),
  outputBias: flag('use_bias'),
  mlpBias: flag('use_bias'),
  norm: layerNorm,
  gated: false,
  windows: 'all',
};

const stablelm: Family = {
  // Of the feed-forward alone, which is not built.
  refused: { hidden_dropout: [0] },
  names: 'stablelm',
  ownNames: { rms_norm_eps: 'layer_norm_eps' },
  sharesHidden: true,
  qkvBias: flag('use_qkv_bias'),
  norm: layerNorm,
  headNorm: (config) => (config['qk_layernorm'] === true ? 'layer_of_each' : 'none'),
  residual: (config) =>
    config['use_parallel_residual'] === true ? 'parallel, one norm' : 'one after the other',
  rotatedPart: 0.25,
};

const phi: Family = {
  dropouts: { attention: 'attention_dropout', residual: 'resid_pdrop', embedding: 'embd_pdrop' },
  names: 'phi',
  ownNames: { rms_norm_eps: 'layer_norm_eps' },
  qkvBias: always,
  outputBias: always,
  mlpBias: always,
  headBias: true,
  norm: layerNorm,
  headNorm: (config) => (config['qk_layernorm'] === true ? 'layer' : 'none'),
  residual: () => 'parallel, one norm',
  gated: false,
  rotatedPart: 0.5,
};

const gptNeoX: Family = {
  dropouts: { attention: 'attention_dropout', residual: 'hidden_dropout', embedding: 'hidden_dropout' },
  names: 'gpt_neox',
  beside: ['rope_parameters', 'rope_scaling', 'rotary_emb_base', 'rotary_pct', 'layer_types'],
  ownNames: { rms_norm_eps: 'layer_norm_eps' },
  sharesHidden: true,
  qkvBias: flag('attention_bias'),
  outputBias: flag('attention_bias'),
  mlpBias: always,
  qkvByHead: true,
  norm: layerNorm,
  residual: (config) => (config['use_parallel_residual'] === true ? 'parallel' : 'one after the other'),
  gated: false,
  paddingIdx: false,
  ropeKeys: { theta: 'rotary_emb_base', part: 'rotary_pct' },
  rotatedPart: 0.25,
};

const cohere: Family = {
  names: 'qwen3',
  ownNames: { rms_norm_eps: 'layer_norm_eps' },
  qkvBias: flag('attention_bias'),
  outputBias: flag('attention_bias'),
  norm: { layerNorm: true },
  headNorm: (config) => (config['use_qk_norm'] === true ? 'layer_of_each' : 'none'),
  residual: () => 'parallel, one norm',
  logitScaleKey: 'logit_scale',
  ropeTheta: 5e5,
  interleaved: true,
};

const cohere2: Family = {
  ...cohere,
  names: 'llama',
  headNorm: () => 'none',
  beside: [...ropeKeys, 'sliding_window_pattern'],
  windows: 'layer_types',
  slidesBut: 4,
  ropeTheta: 1e4,
  rotates: (_config, _layer, slides) => slides,
};

const glm: Family = {
  names: 'glm',
  qkvBias: flag('attention_bias'),
  rotatedPart: 0.5,
  interleaved: true,
};

const glm4: Family = { ...glm, names: 'glm4' };

const exaone4: Family = {
  names: 'olmo2',
  headNorm: () => 'rms',
  windows: 'layer_types',
  slidesBut: 4,
  rotates: (config, _layer, slides) => slides || config['sliding_window'] === null,
};

const gpt2: Family = {
  names: 'gpt2',
  beside: ['layer_types'],
  ownNames: {
    hidden_size: 'n_embd',
    num_attention_heads: 'n_head',
    num_hidden_layers: 'n_layer',
    intermediate_size: 'n_inner',
    max_position_embeddings: 'n_positions',
    rms_norm_eps: 'layer_norm_epsilon',
  },
  aliases: ['hidden_size', 'num_attention_heads', 'num_hidden_layers', 'max_position_embeddings'],
  qkvBias: always,
  outputBias: always,
  mlpBias: always,
  norm: layerNorm,
  activationKey: 'activation_function',
  gated: false,
  learnedPositions: true,
  paddingIdx: false,
  ropes: 'none',
  dropouts: { attention: 'attn_pdrop', residual: 'resid_pdrop', embedding: 'embd_pdrop' },
  refused: { add_cross_attention: [null, false] },
};

/** By model_type. */
export const families: Readonly<Record<string, Family>> = {
  llama,
  mistral,
  qwen2,
  qwen3,
  phi,
  phi3,
  gemma,
  gemma2,
  gemma3_text: gemma3,
  smollm3,
  olmo,
  olmo2,
  olmo3,
  granite,
  starcoder2,
  stablelm,
  cohere,
  cohere2,
  glm,
  glm4,
  exaone4,
  gpt_neox: gptNeoX,
  gpt2,
  mixtral,
  qwen2_moe: qwen2Moe,
  qwen3_moe: qwen3Moe,
  olmoe,
  gpt_oss: gptOss,
};

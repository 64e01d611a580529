import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { randomNumbers } from './random.js';
import { writeSafetensors, type TensorToWrite } from './write-safetensors.js';

export const tinyConfig = {
  model_type: 'llama',
  vocab_size: 67,
  hidden_size: 16,
  intermediate_size: 24,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  rms_norm_eps: 1e-6,
  rope_theta: 10000,
  tie_word_embeddings: false,
  eos_token_id: 2,
};

export type TinyConfig = typeof tinyConfig;

/** Random weights of a Llama with this config, the same on every call. */
export function tinyWeights(config: TinyConfig, seed = 1): Record<string, TensorToWrite> {
  const random = randomNumbers(seed);
  const { hidden_size: hidden, intermediate_size: inner, vocab_size: vocab } = config;
  const headDim = hidden / config.num_attention_heads;
  const keys = config.num_key_value_heads * headDim;
  const tensors: Record<string, TensorToWrite> = {};
  const add = (name: string, ...shape: number[]) => {
    const count = shape.reduce((product, size) => product * size, 1);
    // Uniform, of the size that a trained model's would have; norms near 1.
    const scale = shape.length === 1 ? 0.2 : Math.sqrt(3 / shape[1]!);
    const data = Float32Array.from(
      { length: count },
      () => (shape.length === 1 ? 1 : 0) + scale * (2 * random() - 1),
    );
    tensors[`${name}.weight`] = { shape, data };
  };
  add('model.embed_tokens', vocab, hidden);
  for (let i = 0; i < config.num_hidden_layers; i++) {
    const layer = `model.layers.${i}`;
    add(`${layer}.input_layernorm`, hidden);
    add(`${layer}.self_attn.q_proj`, hidden, hidden);
    add(`${layer}.self_attn.k_proj`, keys, hidden);
    add(`${layer}.self_attn.v_proj`, keys, hidden);
    add(`${layer}.self_attn.o_proj`, hidden, hidden);
    add(`${layer}.post_attention_layernorm`, hidden);
    add(`${layer}.mlp.gate_proj`, inner, hidden);
    add(`${layer}.mlp.up_proj`, inner, hidden);
    add(`${layer}.mlp.down_proj`, hidden, inner);
  }
  add('model.norm', hidden);
  if (!config.tie_word_embeddings) add('lm_head', vocab, hidden);
  return tensors;
}

/** Writes a model folder with random weights. `config` replaces keys of the tiny one. Returns the folder. */
export function writeTinyModel(dir: string, config: Partial<TinyConfig> = {}, seed = 1): string {
  const whole = { ...tinyConfig, ...config };
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, 'config.json'), JSON.stringify(whole));
  writeSafetensors(join(dir, 'model.safetensors'), tinyWeights(whole, seed));
  return dir;
}

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { AdaptiveTrainerError } from '../../src/errors.js';
import { readDecoderConfig } from '../../src/model/architecture/read-decoder-config.js';

type Json = Record<string, unknown>;

function configOf(family: string): Json {
  const path = new URL(`../fixtures/models/${family}/config.json`, import.meta.url);
  return JSON.parse(readFileSync(path, 'utf8')) as Json;
}

function errorOf(config: Json): AdaptiveTrainerError {
  try {
    readDecoderConfig(config, 'config.json');
  } catch (error) {
    return error as AdaptiveTrainerError;
  }
  throw new Error('no error');
}

describe('readDecoderConfig', () => {
  it.each([
    ['llama', { model_type: 'gemma' }, /gemma/],
    ['llama', { model_type: 'gemma3' }, /model_type/],
    ['llama', { attention_dropout: 0.1 }, /attention_dropout 0.*ignoreDropout/],
    ['gpt2', { attn_pdrop: undefined, resid_pdrop: 0.1 }, /resid_pdrop/],
    ['gpt2', { add_cross_attention: true }, /add_cross_attention/],
    ['gemma3', { use_bidirectional_attention: true }, /use_bidirectional_attention/],
    ['llama', { quantization_config: {} }, /quantization_config/],
    ['llama', { is_causal: false }, /is_causal true/],
    ['gpt2', { is_causal: null }, /is_causal true/],
    ['qwen2', { transformers_weights: 'other.safetensors' }, /transformers_weights null/],
  ])('refuses %s with %j', (family, change, message) => {
    const error = errorOf({ ...configOf(family), ...change });
    expect(error.code).toBe('MODEL_UNSUPPORTED');
    expect(error.message).toMatch(message);
  });

  it.each([
    ['llama', { hidden_act: 'quick_gelu' }, /hidden_act/],
    ['gemma2', { hidden_activation: null }, /hidden_activation/],
    ['llama', { layer_types: ['full_attention', 'linear_attention'] }, /layer_types\[1\].*"full_attention"/],
    [
      'llama',
      { rope_parameters: { rope_type: 'xpos', rope_theta: 1e4 } },
      /rope_parameters\.rope_type.*xpos/,
    ],
    [
      'gemma2',
      { layer_types: ['full_attention', 'chunked_attention'] },
      /layer_types\[1\].*chunked_attention/,
    ],
    ['gemma2', { layer_types: ['full_attention'] }, /layer_types/],
    ['qwen3', { layer_types: ['full_attention', 'sliding_attention'] }, /use_sliding_window/],
    ['smollm3', { no_rope_layers: [1] }, /no_rope_layers/],
    ['granite', { logits_scaling: 0 }, /logits_scaling/],
    ['gemma2', { final_logit_softcapping: -1 }, /final_logit_softcapping/],
    [
      'phi3',
      { rope_scaling: { type: 'longrope', short_factor: [1], long_factor: [1] }, rope_parameters: undefined },
      /short_factor/,
    ],
  ])('names what is wrong in %s with %j', (family, change, message) => {
    const error = errorOf({ ...configOf(family), ...change });
    expect(error.code).toBe('MODEL_CONFIG_INVALID');
    expect(error.message).toMatch(message);
  });

  it('takes the defaults of transformers for keys that are left out', () => {
    const { sliding_window: _, ...mistral } = configOf('mistral');
    expect(readDecoderConfig(mistral, '').layers.map(({ window }) => window)).toEqual([4096, 4096]);
    const { final_logit_softcapping: _cap, tie_word_embeddings: _tie, ...gemma } = configOf('gemma2');
    expect(readDecoderConfig(gemma, '')).toMatchObject({ logitsCap: 30, tiedHead: true });
  });

  it('opens a configuration with dropout when it is told to', () => {
    const config = { ...configOf('gpt2'), resid_pdrop: 0.1 };
    expect(readDecoderConfig(config, '', { ignoreDropout: true }).names).toBe('gpt2');
  });
});

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { AdaptiveTrainerError } from '../../src/errors.js';
import { configKeys } from '../../src/model/architecture/config-keys.js';
import { readDecoderConfig } from '../../src/model/architecture/read-decoder-config.js';

type Json = Record<string, unknown>;

function configOf(name: string): Json {
  const path = new URL(`../fixtures/models/${name}/config.json`, import.meta.url);
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
    ['llama', { model_type: 'mamba' }, /mamba/],
    ['llama', { model_type: 'gemma3' }, /model_type/],
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
    ['../extra/models/phi', { layer_norm_eps: 0 }, /layer_norm_eps: expected a number above 0, found 0/],
    [
      '../extra/models/gptneox',
      { head_dim: 16 },
      /head_dim: expected hidden_size \/ num_attention_heads \(8\)/,
    ],
    ['../extra/models/gptneox-old-config', { rotary_pct: 0.9 }, /even number of rotated entries/],
    ['../extra/models/stablelm', { num_key_value_heads: 3 }, /num_key_value_heads/],
    [
      '../extra/models/exaone4',
      { layer_types: undefined, sliding_window_pattern: 'LLLG' },
      /sliding_window_pattern/,
    ],
    ['../extra/models/cohere2', { sliding_window: null }, /sliding_window/],
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

  it('takes the text_config of the released Gemma 3 4B, which states what differs alone', () => {
    const decoder = readDecoderConfig(
      {
        ...{ model_type: 'gemma3_text', hidden_size: 2560, intermediate_size: 10240, num_hidden_layers: 34 },
        ...{ rope_scaling: { factor: 8, rope_type: 'linear' }, sliding_window: 1024 },
      },
      '',
    );
    // What transformers 5.18 makes of it.
    expect(decoder).toMatchObject({
      ...{
        heads: 8,
        kvHeads: 4,
        headDim: 256,
        vocabSize: 262208,
        tiedHead: true,
        normEps: 1e-6,
        paddingId: 0,
      },
      ropes: [
        { type: 'linear', factor: 8, theta: 1e6 },
        { type: 'default', theta: 1e4 },
      ],
    });
    const slides = decoder.layers.map(({ window }) => window);
    expect(slides.slice(0, 7)).toEqual([1024, 1024, 1024, 1024, 1024, 0, 1024]);
    expect(decoder.layers[0]!.attentionScale).toBe(1 / 16);
  });

  const names = [
    'llama',
    'mistral',
    'qwen2',
    'qwen3',
    'phi3',
    'gemma2',
    'gemma3',
    'smollm3',
    'olmo2',
    'granite',
    'gpt2',
    ...[
      'gemma',
      'phi',
      'gptneox',
      'stablelm',
      'starcoder2',
      'olmo',
      'olmo3',
      'cohere',
      'cohere2',
      'glm',
      'glm4',
    ].map((name) => `../extra/models/${name}`),
    '../extra/models/exaone4',
  ];
  it.each(names)('reads the same from %s without the keys that have their default', (name) => {
    const config = configOf(name);
    const fields = configKeys[String(config['model_type'])]!;
    const whole = Object.fromEntries(Object.entries(fields).map(([key, [, fallback]]) => [key, fallback]));
    const isDefault = ([key, value]: [string, unknown]) => key in whole && Object.is(whole[key], value);
    const partial = Object.fromEntries(Object.entries(config).filter((entry) => !isDefault(entry)));
    expect(Object.keys(partial).length).toBeLessThan(Object.keys(config).length);
    const options = { ignoreDropout: true };
    expect(readDecoderConfig(partial, '', options)).toEqual(readDecoderConfig(config, '', options));
    expect(readDecoderConfig({ ...whole, ...partial }, '', options)).toEqual(
      readDecoderConfig(config, '', options),
    );
  });

  it.each([
    ['gpt2', { attn_pdrop: 0.1, resid_pdrop: 0.2, embd_pdrop: 0.3 }, [0.1, 0.2, 0.3]],
    ['llama', { attention_dropout: 0.4, resid_pdrop: 0.5 }, [0.4, 0, 0]],
    ['phi3', { attention_dropout: 0.1, resid_pdrop: 0.2, embd_pdrop: 0.3 }, [0.1, 0.2, 0]],
    ['gemma3', { attention_dropout: 1 }, [1, 0, 0]],
  ])('reads the dropout that transformers applies: %s with %j', (family, change, expected) => {
    const config = { ...configOf(family), ...change };
    const ratesOf = (options: { ignoreDropout?: boolean }) => {
      const decoder = readDecoderConfig(config, '', options);
      return [decoder.attentionDropout, decoder.residualDropout, decoder.embeddingDropout];
    };
    expect(ratesOf({})).toEqual(expected);
    expect(ratesOf({ ignoreDropout: true })).toEqual([0, 0, 0]);
  });
});

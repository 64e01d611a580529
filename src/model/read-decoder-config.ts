import { describeValue } from '../config/describe-value.js';
import { isPlainObject } from '../config/is-plain-object.js';
import { AdaptiveTrainerError } from '../errors.js';
import type { DecoderConfig } from '../native/addon.js';

type Json = Record<string, unknown>;
type Fault = (expected: string, key: string, found: unknown) => void;

// A configuration that lies must not make the engine build layers until the memory is gone.
const mostLayers = 10_000;
const mostOfASize = 2 ** 31 - 1;

/** What a family adds to the shape all of them share. */
interface Family {
  qkvBias: (config: Json) => boolean;
  outputBias: (config: Json) => boolean;
  mlpBias: (config: Json) => boolean;
  /** Keys with values that change the computation in a way that is not built. */
  refused: Record<string, unknown[]>;
}

const flag = (key: string) => (config: Json) => config[key] === true;
const families: Record<string, Family> = {
  llama: {
    qkvBias: flag('attention_bias'),
    outputBias: flag('attention_bias'),
    mlpBias: flag('mlp_bias'),
    refused: {},
  },
  qwen2: {
    qkvBias: () => true,
    outputBias: () => false,
    mlpBias: () => false,
    refused: { use_sliding_window: [true] },
  },
};

/**
 * From a Hugging Face config.json to what the decoder needs.
 *
 * @throws AdaptiveTrainerError MODEL_UNSUPPORTED for a model_type or flag that is not built; MODEL_CONFIG_INVALID listing
 * every value that is missing or out of range
 */
export function readDecoderConfig(config: Json, path: string): DecoderConfig {
  const family = familyOf(config, path);
  const faults: string[] = [];
  const fault: Fault = (expected, key, found) =>
    faults.push(`${key}: expected ${expected}, found ${describeValue(found)}`);
  const size = (key: string, fallback?: number, most?: number) => sizeAt(config, key, fallback, most, fault);

  const hiddenSize = size('hidden_size');
  const heads = size('num_attention_heads');
  const decoder: DecoderConfig = {
    vocabSize: size('vocab_size'),
    hiddenSize,
    intermediateSize: size('intermediate_size'),
    layers: size('num_hidden_layers', undefined, mostLayers),
    heads,
    kvHeads: size('num_key_value_heads', heads),
    headDim: size('head_dim', Math.floor(hiddenSize / heads)),
    normEps: positiveAt(config, 'rms_norm_eps', 1e-6, fault),
    tiedHead: config['tie_word_embeddings'] === true,
    qkvBias: family.qkvBias(config),
    outputBias: family.outputBias(config),
    mlpBias: family.mlpBias(config),
    rope: readRope(config, fault),
  };
  if (decoder.heads % decoder.kvHeads !== 0) {
    fault(`a divisor of num_attention_heads (${heads})`, 'num_key_value_heads', decoder.kvHeads);
  }
  if (config['head_dim'] == null && hiddenSize % heads !== 0) {
    fault(
      `a divisor of hidden_size (${hiddenSize}), since there is no head_dim`,
      'num_attention_heads',
      heads,
    );
  }
  if (decoder.headDim % 2 !== 0) fault('an even number', 'head_dim', decoder.headDim);
  const activation = config['hidden_act'] ?? 'silu';
  if (activation !== 'silu')
    fault('"silu", the only activation built for this family', 'hidden_act', activation);
  if (faults.length === 0) return decoder;
  throw new AdaptiveTrainerError(
    'MODEL_CONFIG_INVALID',
    `${path} describes no usable model:\n  ${faults.join('\n  ')}`,
    {
      details: { path, faults },
    },
  );
}

function familyOf(config: Json, path: string): Family {
  const type = config['model_type'];
  const family = typeof type === 'string' && Object.hasOwn(families, type) ? families[type]! : undefined;
  if (family === undefined) {
    throw unsupported(path, `model_type ${Object.keys(families).join(' or ')}`, describeValue(type));
  }
  for (const [key, values] of Object.entries(family.refused)) {
    if (values.includes(config[key]))
      throw unsupported(path, `${key} other than ${values.join(', ')}`, describeValue(config[key]));
  }
  const dropout = config['attention_dropout'];
  if (typeof dropout === 'number' && dropout > 0) {
    throw unsupported(path, 'attention_dropout 0 (dropout is not available yet)', String(dropout));
  }
  if (config['quantization_config'] != null) {
    throw unsupported(path, 'weights that are not quantised', 'a quantization_config');
  }
  return family;
}

function unsupported(path: string, expected: string, found: string): AdaptiveTrainerError {
  return new AdaptiveTrainerError('MODEL_UNSUPPORTED', `Expected ${expected} in ${path}, found ${found}.`, {
    details: { path, expected, found },
  });
}

function sizeAt(
  config: Json,
  key: string,
  fallback: number | undefined,
  most = mostOfASize,
  fault: Fault,
): number {
  const value = config[key] ?? fallback;
  if (Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= most)
    return value as number;
  fault(`a whole number from 1 to ${most}`, key, value);
  return 1;
}

function positiveAt(config: Json, key: string, fallback: number | undefined, fault: Fault): number {
  const value = config[key] ?? fallback;
  if (typeof value === 'number' && Number.isFinite(value) && value > 0) return value;
  fault('a number above 0', key, value);
  return 1;
}

/** transformers 5 writes rope_parameters; older configurations rope_theta and rope_scaling beside each other. */
function readRope(config: Json, fault: Fault): DecoderConfig['rope'] {
  const scaling = config['rope_parameters'] ?? config['rope_scaling'] ?? {};
  const at = config['rope_parameters'] ? 'rope_parameters' : 'rope_scaling';
  const rope = {
    type: 'default',
    theta: 1,
    factor: 1,
    lowFrequencyFactor: 1,
    highFrequencyFactor: 4,
    originalMaxPositions: 0,
  };
  if (!isPlainObject(scaling)) {
    fault('an object', at, scaling);
    return rope as DecoderConfig['rope'];
  }
  rope.theta = positiveAt(
    { rope_theta: scaling['rope_theta'] ?? config['rope_theta'] },
    'rope_theta',
    10000,
    fault,
  );
  const type = scaling['rope_type'] ?? scaling['type'] ?? 'default';
  if (type !== 'default' && type !== 'linear' && type !== 'llama3') {
    fault('"default", "linear" or "llama3"', `${at}.rope_type`, type);
  }
  const number = (key: string, fallback?: number) => {
    return positiveAt({ [`${at}.${key}`]: scaling[key] }, `${at}.${key}`, fallback, fault);
  };
  if (type !== 'default') rope.factor = number('factor');
  if (type === 'llama3') {
    rope.lowFrequencyFactor = number('low_freq_factor');
    rope.highFrequencyFactor = number('high_freq_factor');
    rope.originalMaxPositions = number(
      'original_max_position_embeddings',
      config['max_position_embeddings'] as number,
    );
  }
  return { ...rope, type: type as DecoderConfig['rope']['type'] };
}

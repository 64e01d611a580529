import { describeValue } from '../../common/describe-value.js';
import { AdaptiveTrainerError } from '../../errors.js';
import { isPlainObject } from '../../common/is-plain-object.js';
import type { DecoderConfig } from '../../engine/addon.js';
import { configKeys, type ConfigType } from './config-keys.js';
import { ConfigValues } from './config-values.js';
import { storedBits } from '../quantization/quantization-config.js';
import { takeTextModel } from '../files/take-text-model.js';
import { families, type Family, type Json, notBuilt, ropeKeys } from './families.js';
import { readLayers } from './read-layers.js';
import { readRopes } from './read-ropes.js';
import { readRouting } from './read-routing.js';

export interface DecoderConfigOptions {
  /** Train without the dropout that a configuration asks for. Default false: with it. */
  ignoreDropout?: boolean;
}

/** Keys of every family that change the computation in a way that is not built, with the values that leave it alone. */
const refusedInAll: Record<string, unknown[]> = {
  // transformers builds its masks from it, whatever the family.
  is_causal: [true],
  // The name of the file with the weights, in place of the usual ones.
  transformers_weights: [null, 'model.safetensors'],
  // Other values for single layers.
  per_layer_config: [null],
};

/** What to do about a key that is refused. */
const mends: Readonly<Record<string, (value: unknown) => string>> = {
  output_router_logits: () =>
    'The loss that keeps routers balanced is not available; set it to false in config.json to train without.',
  router_jitter_noise: () =>
    'Noise on what routers see is not available; set it to 0 in config.json to train without.',
};

const activations = {
  silu: 'silu',
  swish: 'silu',
  gelu: 'gelu',
  gelu_python: 'gelu',
  gelu_new: 'gelu_tanh',
  gelu_fast: 'gelu_tanh',
  gelu_accurate: 'gelu_tanh',
  gelu_python_tanh: 'gelu_tanh',
  gelu_pytorch_tanh: 'gelu_tanh',
  relu: 'relu',
} as const satisfies Record<string, DecoderConfig['activation']>;

/**
 * From a Hugging Face config.json to what the decoder needs.
 *
 * @throws AdaptiveTrainerError MODEL_UNSUPPORTED for a model_type or flag that is not built; MODEL_CONFIG_INVALID listing
 * every value that is missing or out of range
 */
export function readDecoderConfig(
  config: Json,
  path: string,
  options: DecoderConfigOptions = {},
): DecoderConfig {
  const family = familyOf(config, path);
  refuse({ ...refusedInAll }, config, path);
  storedBits(config, path);
  const values = new ConfigValues(familyConfig(config, family), keysOf(config, family));
  refuse({ ...family.refused }, values.json, path);
  checkTypes(values, config);
  const decoder = { ...decoderOf(values, family), ...readDropout(values, family, options) };
  if (decoder.heads % decoder.kvHeads !== 0) {
    values.fault(
      `a divisor of num_attention_heads (${decoder.heads})`,
      'num_key_value_heads',
      decoder.kvHeads,
    );
  }
  const isDerived = values.json['head_dim'] == null;
  if (family.sharesHidden && config['head_dim'] != null && config['head_dim'] !== decoder.headDim)
    values.fault(`hidden_size / num_attention_heads (${decoder.headDim})`, 'head_dim', config['head_dim']);
  if ((isDerived || family.dividesHidden) && decoder.hiddenSize % decoder.heads !== 0) {
    const why = isDerived ? 'since there is no head_dim' : 'as transformers demands';
    values.fault(
      `a divisor of hidden_size (${decoder.hiddenSize}), ${why}`,
      'num_attention_heads',
      decoder.heads,
    );
  }
  if (values.faults.length === 0) return decoder;
  throw new AdaptiveTrainerError(
    'MODEL_CONFIG_INVALID',
    `${path} describes no usable model:\n  ${values.faults.join('\n  ')}`,
    { details: { path, faults: values.faults } },
  );
}

function decoderOf(
  values: ConfigValues,
  family: Family,
): Omit<DecoderConfig, 'attentionDropout' | 'residualDropout' | 'embeddingDropout'> {
  const { json } = values;
  const hiddenSize = values.size('hidden_size');
  const heads = values.size('num_attention_heads');
  const headDim = family.sharesHidden
    ? Math.floor(hiddenSize / heads)
    : values.size('head_dim', Math.floor(hiddenSize / heads));
  const vocabSize = values.size('vocab_size');
  const intermediateSize = values.size(
    'intermediate_size',
    family.names === 'gpt2' ? 4 * hiddenSize : undefined,
  );
  const layers = readLayers(values, family, headDim);
  const residual = family.residual?.(json) ?? 'one after the other';
  return {
    names: family.names,
    vocabSize,
    hiddenSize,
    intermediateSize,
    heads,
    kvHeads: values.size('num_key_value_heads', heads),
    headDim,
    maxPositions: family.learnedPositions ? values.size('max_position_embeddings') : 0,
    paddingId: family.paddingIdx === false ? -1 : paddingId(values, vocabSize),
    normEps: family.normEps ?? values.positive('rms_norm_eps'),
    ...{ normOffset: 0, layerNorm: false, normWeight: true, normBias: false, ...family.norm },
    headNorm: family.headNorm?.(json) ?? 'none',
    parallelResidual: residual !== 'one after the other',
    sharedNorm: residual === 'parallel, one norm',
    activation: family.activation ?? readActivation(values, family),
    gated: family.gated ?? true,
    tiedHead: json['tie_word_embeddings'] === true,
    headBias: family.headBias ?? false,
    qkvBias: family.qkvBias?.(json) ?? false,
    outputBias: family.outputBias?.(json) ?? false,
    mlpBias: family.mlpBias?.(json) ?? false,
    qkvByHead: family.qkvByHead ?? false,
    qkvClip: family.qkvClipKey ? values.positiveOrNone(family.qkvClipKey) : 0,
    embeddingScale: family.scalesEmbeddings
      ? Math.sqrt(hiddenSize)
      : family.multipliers
        ? values.positive('embedding_multiplier')
        : 1,
    // Granite multiplies beside the embedding, where noise is added; Gemma inside it.
    embeddingNoiseScale: family.multipliers ? values.positive('embedding_multiplier') : 1,
    residualScale: family.multipliers ? values.positive('residual_multiplier') : 1,
    logitsScale: family.multipliers
      ? 1 / values.positive('logits_scaling')
      : family.logitScaleKey
        ? values.positive(family.logitScaleKey)
        : 1,
    attentionCap: family.softCaps?.attention ? values.positiveOrNone('attn_logit_softcapping') : 0,
    logitsCap: family.softCaps?.logits ? values.positiveOrNone('final_logit_softcapping') : 0,
    routing: readRouting(values, family),
    ropes: readRopes(
      values,
      family,
      headDim,
      layers.some(({ window }) => window > 0),
    ),
    layers,
  };
}

/** As torch.nn.Embedding takes padding_idx: negative ones count from the end. */
function paddingId(values: ConfigValues, vocabSize: number): number {
  const id = values.json['pad_token_id'];
  if (!Number.isSafeInteger(id)) return -1;
  const index = (id as number) < 0 ? vocabSize + (id as number) : (id as number);
  if (index >= 0 && index < vocabSize) return index;
  values.fault(`null, or an id below vocab_size (${vocabSize})`, 'pad_token_id', id);
  return -1;
}

/** As transformers' strict configuration classes do. */
function checkTypes(values: ConfigValues, config: Json): void {
  const fields = configKeys[String(config['model_type'])]!;
  for (const [key, [types]] of Object.entries(fields)) {
    if (key in config && !types.some((type) => isOfType(config[key], type)))
      values.fault(types.map((type) => typeNames[type]).join(' or '), key, config[key]);
  }
  // Read beside the fields, it has no default for null.
  if (values.json['head_dim'] === null && !('head_dim' in fields))
    values.fault('a whole number', 'head_dim', null);
}

const typeNames: Record<ConfigType, string> = {
  bool: 'true or false',
  int: 'a whole number',
  float: 'a number',
  str: 'a string',
  list: 'a list',
  dict: 'an object',
  null: 'null',
};

function isOfType(value: unknown, type: ConfigType): boolean {
  if (type === 'null') return value === null;
  if (type === 'list') return Array.isArray(value);
  if (type === 'dict') return isPlainObject(value);
  if (type === 'int') return Number.isInteger(value);
  return typeof value === { bool: 'boolean', float: 'number', str: 'string' }[type];
}

function readActivation(values: ConfigValues, family: Family): DecoderConfig['activation'] {
  const key = family.activationKey ?? 'hidden_act';
  const stated = values.json[key];
  const name = family.activationNames?.[String(stated)] ?? stated;
  if (typeof name === 'string' && Object.hasOwn(activations, name)) {
    return activations[name as keyof typeof activations];
  }
  values.fault(`one of ${Object.keys(activations).join(', ')}`, key, name);
  return 'silu';
}

function familyOf(config: Json, path: string): Family {
  const type = config['model_type'];
  if (typeof type === 'string' && Object.hasOwn(families, type)) return families[type]!;
  const known = Object.keys(families);
  const wanted = `model_type ${known.slice(0, -1).join(', ')} or ${known.at(-1)}`;
  const text = isPlainObject(config['text_config']) ? config['text_config']['model_type'] : undefined;
  const why = notBuilt[String(type)] ?? notBuilt[String(text)];
  throw unsupported(path, wanted, describeValue(type), why === undefined ? textModelOf(config) : ` ${why}`);
}

/** The way to a text model inside one that takes more than text. */
function textModelOf(config: Json): string {
  const text = config['text_config'];
  if (!isPlainObject(text) || !Object.hasOwn(families, String(text['model_type']))) return '';
  return ` Its text_config is a ${String(text['model_type'])}, which is available. ${takeTextModel}`;
}

function refuse(harmlessValues: Record<string, unknown[]>, config: Json, path: string): void {
  for (const [key, harmless] of Object.entries(harmlessValues)) {
    if (key in config && !harmless.includes(config[key])) {
      const mend = mends[key]?.(config[key]) ?? '';
      throw unsupported(
        path,
        `${key} ${harmless.map(String).join(' or ')}`,
        describeValue(config[key]),
        mend === '' ? '' : ` ${mend}`,
      );
    }
  }
}

function readDropout(
  values: ConfigValues,
  { dropouts = { attention: 'attention_dropout' } }: Family,
  { ignoreDropout }: DecoderConfigOptions,
): Pick<DecoderConfig, 'attentionDropout' | 'residualDropout' | 'embeddingDropout'> {
  const rateOf = (key: string | undefined) => {
    const rate = key === undefined ? undefined : values.json[key];
    if (typeof rate !== 'number') return 0;
    if (rate < 0 || rate > 1) values.fault('a number from 0 to 1', key!, rate);
    return ignoreDropout ? 0 : rate;
  };
  return {
    attentionDropout: rateOf(dropouts.attention),
    residualDropout: rateOf(dropouts.residual),
    embeddingDropout: rateOf(dropouts.embedding),
  };
}

function unsupported(path: string, expected: string, found: string, mend = ''): AdaptiveTrainerError {
  return new AdaptiveTrainerError(
    'MODEL_UNSUPPORTED',
    `Expected ${expected} in ${path}, found ${found}.${mend}`,
    {
      details: { path, expected, found },
    },
  );
}

/**
 * What transformers takes from config.json for a family, under the names read here: the fields of its configuration class,
 * with their defaults, and the few keys that it reads beside. Keys of other families are not there.
 */
function familyConfig(config: Json, family: Family): Json {
  const fields = configKeys[String(config['model_type'])]!;
  const taken: Json = {};
  for (const [key, [, fallback]] of Object.entries(fields))
    taken[key] = key in config ? config[key] : fallback;
  for (const key of family.beside ?? ropeKeys) if (key in config) taken[key] = config[key];
  for (const [name, own] of Object.entries(family.ownNames ?? {}))
    taken[name] = isAlias(config, family, name) ? config[name] : taken[own];
  return taken;
}

/** What the names read here are called in config.json. */
function keysOf(config: Json, family: Family): Record<string, string> {
  const own = Object.entries(family.ownNames ?? {});
  return Object.fromEntries(own.filter(([name]) => !isAlias(config, family, name)));
}

function isAlias(config: Json, family: Family, name: string): boolean {
  return family.aliases?.includes(name) === true && name in config;
}
